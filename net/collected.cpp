#include "net/collected.hpp"

#include <iterator>
#include <utility>

namespace lorica {

void collected::add(generation_chunk tokens) {
  auto& into = choices.at(tokens.choice).tokens;
  into.insert(into.end(), std::make_move_iterator(tokens.tokens.begin()),
              std::make_move_iterator(tokens.tokens.end()));
}

void collected::add(generation_finish end) {
  auto index = end.choice;
  choices.at(index).end = std::move(end);
}

}  // namespace lorica
