#include "app/admin/completion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "app/admin/command_table.hpp"
#include "app/admin/commands.hpp"
#include "app/admin/task.hpp"

namespace lorica::admin {
namespace {

std::vector<const option_row*> all_options() {
  std::vector<const option_row*> out;
  std::set<std::string_view> seen;
  auto add = [&](std::span<const option_row> rows) {
    for (auto& row : rows)
      if (seen.insert(row.name).second) out.push_back(&row);
  };
  add(global_options());
  for (auto& command : command_table())
    add(command.options);
  return out;
}

/// Options with a value as `a|b`, for a case of the shell; `chosen` picks among them.
template <class Chosen>
std::string alternatives(Chosen chosen) {
  std::string out;
  for (auto row : all_options())
    if (!row->value.empty() && chosen(*row)) out += (out.empty() ? "" : "|") + std::string(row->name);
  return out;
}

std::string names_of(std::span<const option_row> rows) {
  std::string out;
  for (auto& row : rows)
    out += (out.empty() ? "" : " ") + std::string(row.name);
  return out;
}

std::string choices_of_options() {
  std::string out;
  for (auto row : all_options())
    if (!row->choices.empty())
      out += fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return ;;\n", row->name,
                         row->choices);
  return out;
}

std::string options_of_commands() {
  std::string out;
  for (auto& command : command_table())
    if (!command.options.empty())
      out += fmt::format("      {}) options+=' {}' ;;\n", command.name, names_of(command.options));
  return out;
}

std::string_view shell_of(word_kind kind) {
  switch (kind) {
    case word_kind::adapter: return "_lorica_admin_names";
    case word_kind::file: return "COMPREPLY=($(compgen -f -- \"$cur\"))";
    case word_kind::shell: return "COMPREPLY=($(compgen -W 'bash zsh' -- \"$cur\"))";
    case word_kind::none: break;
  }
  return {};
}

std::string arguments_of_commands() {
  std::string out;
  for (auto& command : command_table())
    for (std::size_t i = 0; i < command.arguments.size(); ++i)
      if (auto how = shell_of(command.arguments[i].kind); !how.empty())
        out += fmt::format("    {}:{}) {} ;;\n", command.name, i, how);
  return out;
}

// The line is split at blanks by ourselves: bash splits at ':' and '=' too, which would tear addresses.
constexpr std::string_view frame = R"sh(_lorica_admin_names() {
  COMPREPLY=($(compgen -W "$("${words[0]}" "${server[@]}" list --names --timeout 1 2>/dev/null)" -- "$cur"))
}
_lorica_admin() {
  local words cur previous command= word i last count=0 options server=() noglob=
  case $- in *f*) noglob=1 ;; esac
  set -f
  words=(${COMP_LINE:0:COMP_POINT})
  [ -n "$noglob" ] || set +f
  [[ ${COMP_LINE:0:COMP_POINT} == *' ' ]] && words+=('')
  last=$((${#words[@]} - 1))
  cur=${words[last]} previous=${words[last-1]}
  COMPREPLY=()
  for ((i = 1; i < last; ++i)); do
    word=${words[i]}
    case $word in
      --url|--api-key|--api-key-file|--cacert) server+=("$word" "${words[i+1]}"); ((++i)) ;;
      --insecure) server+=("$word") ;;
      @WITH_VALUE@) ((++i)) ;;
      -*) ;;
      *) if [ -z "$command" ]; then command=$word; else ((++count)); fi ;;
    esac
  done
  case $previous in
@CHOICES@    @FILES@) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    @FREE@) return ;;
  esac
  if [[ $cur == -* ]]; then
    options='@OPTIONS@'
    case $command in
@COMMAND_OPTIONS@    esac
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
    return
  fi
  if [ -z "$command" ]; then
    COMPREPLY=($(compgen -W '@COMMANDS@' -- "$cur"))
    return
  fi
  case $command:$count in
@ARGUMENTS@  esac
}
complete -F _lorica_admin lorica-admin
)sh";

void fill(std::string& text, const std::string& place, const std::string& with) {
  text.replace(text.find(place), place.size(), with);
}

std::string script() {
  std::string commands;
  for (auto& command : command_table())
    commands += (commands.empty() ? "" : " ") + std::string(command.name);
  std::string out(frame);
  fill(out, "@WITH_VALUE@", alternatives([](auto&) { return true; }));
  fill(out, "@CHOICES@", choices_of_options());
  fill(out, "@FILES@", alternatives([](auto& row) { return row.kind == word_kind::file; }));
  fill(out, "@FREE@",
       alternatives([](auto& row) { return row.kind != word_kind::file && row.choices.empty(); }));
  fill(out, "@OPTIONS@", names_of(global_options()));
  fill(out, "@COMMAND_OPTIONS@", options_of_commands());
  fill(out, "@COMMANDS@", commands);
  fill(out, "@ARGUMENTS@", arguments_of_commands());
  return out;
}

}  // namespace

std::string bash_completion() {
  return "# Completion of lorica-admin for bash.\n" + script();
}

// zsh runs scripts of bash as they are.
std::string zsh_completion() {
  return "# Completion of lorica-admin for zsh.\n"
         "whence compdef >/dev/null || { autoload -U +X compinit && compinit; }\n"
         "autoload -U +X bashcompinit && bashcompinit\n" +
         script();
}

exit_code run_completion(task& t) {
  auto shell = t.what.argument(0);
  if (shell != "bash" && shell != "zsh")
    return t.out.refuse(fail(errc::bad_config, "completion makes scripts for bash and zsh"));
  auto text = shell == "bash" ? bash_completion() : zsh_completion();
  t.out.answer(value(value::object{{"script", value(text)}}), text);
  return exit_code::done;
}

}  // namespace lorica::admin
