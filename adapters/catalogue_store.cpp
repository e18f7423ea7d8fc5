#include "adapters/catalogue_store.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "core/descriptor.hpp"

namespace lorica {
namespace {

// PRAGMA user_version. Versions of older formats were computed in another way: no file would have them.
constexpr std::int64_t format = 3;
constexpr std::int64_t application = 0x4c6f7243;  // PRAGMA application_id: "LorC"
constexpr off_t shortest_file = 512;
constexpr int busy_milliseconds = 5000;

constexpr const char* schema =
    "CREATE TABLE adapter("
    "base BLOB NOT NULL, name TEXT NOT NULL, alias_of TEXT NOT NULL, source TEXT NOT NULL, revision TEXT NOT "
    "NULL, state TEXT NOT NULL, version BLOB, read_from TEXT, ranks TEXT, bytes INTEGER, pinned INTEGER NOT "
    "NULL, paused INTEGER NOT NULL, defaults TEXT NOT NULL, failure_reason TEXT NOT NULL, failure_text TEXT "
    "NOT NULL, created INTEGER NOT NULL, seal BLOB NOT NULL, PRIMARY KEY(base, name)) WITHOUT ROWID;"
    "PRAGMA application_id = 1282372163;"
    "PRAGMA user_version = 3;";

constexpr const char* columns =
    "name, alias_of, source, revision, state, version, read_from, ranks, bytes, pinned, paused, defaults, "
    "failure_reason, failure_text, created, seal";

error damaged() {
  return fail(errc::bad_config,
              "the adapter catalogue catalogue.sqlite3 in the data directory is damaged; put back a copy, or "
              "move it and its -wal file away to begin with an empty one");
}

error unusable(std::string_view why) {
  return fail(errc::bad_config, "the data directory " + std::string(why));
}

/// The system's reasons in our words; its own texts may hold paths.
error system_failed(int code) {
  switch (code) {
    case ENOENT: return unusable("cannot be made: the directory above it is not there");
    case ENOTDIR: return unusable("is not a directory");
    case ELOOP: return unusable("holds a link in place of catalogue.sqlite3 or catalogue.lock");
    case ENXIO:
    case EISDIR: return unusable("holds something else in place of catalogue.sqlite3 or catalogue.lock");
    case EACCES:
    case EPERM:
    case EROFS: return unusable("may not be written by this process");
    default:
      return fail(errc::io,
                  "the adapter catalogue cannot be read or written: the disk fails, is full, or a quota or a "
                  "limit of this process is reached");
  }
}

error database_failed(sqlite3* database, int code) {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return damaged();
    case SQLITE_FULL:
      return fail(errc::io, "the adapter catalogue cannot be written: the disk is full; make room");
    case SQLITE_READONLY:
    case SQLITE_PERM: return system_failed(EACCES);
    case SQLITE_NOMEM: return fail(errc::out_of_memory, "the adapter catalogue needs more memory");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(errc::io, "the adapter catalogue is locked by another program; end it and try again");
    case SQLITE_CANTOPEN: return system_failed(sqlite3_system_errno(database));
    case SQLITE_IOERR: return system_failed(EIO);
    // A statement that does not fit the tables, a value of another kind: not what was made here.
    default: return damaged();
  }
}

/// Opens or makes a regular file that only this user may read.
result<descriptor> open_private(const std::string& path) {
  descriptor out(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (out.number() < 0) return system_failed(errno);
  struct stat facts {};
  if (::fstat(out.number(), &facts) != 0) return system_failed(errno);
  if (!S_ISREG(facts.st_mode)) return system_failed(ENXIO);
  if ((facts.st_mode & 0777) != 0600 && ::fchmod(out.number(), 0600) != 0) return system_failed(errno);
  return out;
}

result<descriptor> hold_lock(const std::string& path) {
  auto out = open_private(path);
  if (!out) return out;
  if (::flock(out->number(), LOCK_EX | LOCK_NB) == 0) return out;
  if (errno == EWOULDBLOCK)
    return unusable("is in use by another process; end that one, or give each its own directory");
  return system_failed(errno);
}

/// Makes an empty catalogue when there is none. Closes it before SQLite opens it: closing any descriptor of
/// it later would drop SQLite's locks.
result<void> make_file(const std::string& path) {
  auto file = open_private(path);
  if (!file) return file.error();
  struct stat facts {};
  if (::fstat(file->number(), &facts) != 0) return system_failed(errno);
  // SQLite would take a file shorter than its header for an empty one.
  if (facts.st_size > 0 && facts.st_size < shortest_file) return damaged();
  return {};
}

/// A prepared statement: bind, then step.
class statement {
 public:
  statement(sqlite3* database, const std::string& text) : database_(database) {
    code_ = sqlite3_prepare_v2(database, text.c_str(), -1, &raw_, nullptr);
  }
  statement(const statement&) = delete;
  statement& operator=(const statement&) = delete;
  ~statement() { sqlite3_finalize(raw_); }

  // The memory of what is bound must outlive the step.
  void bind(int at, std::string_view text) {
    note(sqlite3_bind_text64(raw_, at, text.data() ? text.data() : "", text.size(), SQLITE_STATIC,
                             SQLITE_UTF8));
  }
  void bind(int at, const std::array<std::uint8_t, 32>& digest) {
    note(sqlite3_bind_blob64(raw_, at, digest.data(), digest.size(), SQLITE_STATIC));
  }
  void bind(int at, std::int64_t number) { note(sqlite3_bind_int64(raw_, at, number)); }

  /// True with a row, false at the end.
  result<bool> step() {
    note(code_ == SQLITE_OK ? sqlite3_step(raw_) : code_);
    if (code_ == SQLITE_ROW || code_ == SQLITE_DONE) return std::exchange(code_, SQLITE_OK) == SQLITE_ROW;
    return database_failed(database_, code_);
  }

  result<void> run() {
    while (true) {
      auto more = step();
      if (!more) return more.error();
      if (!*more) break;
    }
    sqlite3_reset(raw_);
    sqlite3_clear_bindings(raw_);
    return {};
  }

  bool absent(int column) { return sqlite3_column_type(raw_, column) == SQLITE_NULL; }
  std::int64_t number(int column) { return sqlite3_column_int64(raw_, column); }
  std::string text(int column) {
    auto data = static_cast<const char*>(sqlite3_column_blob(raw_, column));
    auto size = sqlite3_column_bytes(raw_, column);
    return data ? std::string(data, static_cast<std::size_t>(size)) : std::string();
  }
  std::optional<std::array<std::uint8_t, 32>> digest(int column) {
    auto bytes = text(column);
    std::array<std::uint8_t, 32> out{};
    if (bytes.size() != out.size()) return std::nullopt;
    std::copy(bytes.begin(), bytes.end(), out.begin());
    return out;
  }

 private:
  void note(int code) {
    if (code_ == SQLITE_OK) code_ = code;
  }

  sqlite3* database_;
  sqlite3_stmt* raw_ = nullptr;
  int code_ = SQLITE_OK;
};

result<void> execute(sqlite3* database, const char* text) {
  int code = sqlite3_exec(database, text, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return database_failed(database, code);
  return {};
}

result<std::int64_t> ask_number(sqlite3* database, const std::string& text) {
  statement asked(database, text);
  auto row = asked.step();
  if (!row) return row.error();
  return *row ? asked.number(0) : 0;
}

/// Unless told to keep them, the changes since its making go away with it.
class transaction {
 public:
  explicit transaction(sqlite3* database) noexcept : database_(database) {}
  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;
  ~transaction() {
    if (sqlite3_get_autocommit(database_) == 0)
      sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  result<void> begin() { return execute(database_, "BEGIN IMMEDIATE"); }
  result<void> keep() { return execute(database_, "COMMIT"); }

 private:
  sqlite3* database_;
};

/// Makes the table in an empty file; refuses what is not ours.
result<void> check_format(sqlite3* database) {
  transaction all(database);
  if (auto ok = all.begin(); !ok) return ok;
  auto found = ask_number(database, "PRAGMA user_version");
  if (!found) return found.error();
  auto owner = ask_number(database, "PRAGMA application_id");
  if (!owner) return owner.error();
  auto tables = ask_number(database, "SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  if (*found == 0 && *owner == 0 && *tables == 0) {
    if (auto ok = execute(database, schema); !ok) return ok;
    return all.keep();
  }
  if (*owner != application)
    return unusable("holds a catalogue.sqlite3 that is not from Lorica; give another directory");
  if (*found > format)
    return unusable("holds a catalogue of format " + std::to_string(*found) +
                    ", written by a newer Lorica; this one reads format " + std::to_string(format) +
                    ": use the newer one, or give another directory");
  if (*found < 1) return damaged();
  if (*found < format)
    return unusable("holds a catalogue of format " + std::to_string(*found) +
                    ", written by an older Lorica, in which versions are other digests; move "
                    "catalogue.sqlite3 and its -wal file away and load the adapters again");
  return all.keep();
}

/// Settings of a connection; WAL stays in the file, the others do not.
result<void> prepare(sqlite3* database) {
  sqlite3_extended_result_codes(database, 1);
  sqlite3_busy_timeout(database, busy_milliseconds);
  sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  if (auto ok = execute(database, "PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL"); !ok) return ok;
  statement mode(database, "PRAGMA journal_mode = WAL");
  auto row = mode.step();
  if (!row) return row.error();
  if (!*row || mode.text(0) != "wal")
    return unusable("lies on a file system without shared memory; give one on a local disk");
  return {};
}

result<void> check_pages(sqlite3* database) {
  statement check(database, "PRAGMA quick_check(1)");
  auto row = check.step();
  if (!row) return row.error();
  if (!*row || check.text(0) != "ok") return damaged();
  return {};
}

/// A row as a record, whatever it holds; nothing when a field has no meaning at all.
std::optional<catalogue_record> read_row(statement& row) {
  auto state = parse_kept_state(row.text(4));
  if (!state) return std::nullopt;
  catalogue_record out{row.text(0),  row.text(1),  row.text(2),        row.text(3),
                       *state,       std::nullopt, row.number(9) != 0, row.number(10) != 0,
                       row.text(11), row.text(12), row.text(13),       row.number(14)};
  if (row.absent(5)) return out;
  auto digest = row.digest(5);
  auto ranks = parse_ranks(row.text(7));
  if (!digest || !ranks || row.number(8) < 0) return std::nullopt;
  out.current = version_reference{adapter_version{*digest}, row.text(6), *std::move(ranks),
                                  static_cast<std::uint64_t>(row.number(8))};
  return out;
}

}  // namespace

struct catalogue_store::database {
  struct closer {
    void operator()(sqlite3* raw) const noexcept { sqlite3_close_v2(raw); }
  };

  descriptor lock;
  std::unique_ptr<sqlite3, closer> raw;
  std::array<std::uint8_t, 32> base;

  result<void> put(statement& upsert, const catalogue_record& r) const {
    auto ranks = r.current ? written_ranks(r.current->ranks) : std::string();
    auto seal = seal_of(base, r);
    const std::string* texts[] = {&r.name, &r.alias_of, &r.source, &r.revision};
    for (int i = 0; i < 4; ++i)
      upsert.bind(i + 1, *texts[i]);
    upsert.bind(5, to_string(r.state));
    if (r.current) {
      upsert.bind(6, r.current->version.digest);
      upsert.bind(7, r.current->source);
      upsert.bind(8, ranks);
      upsert.bind(9, static_cast<std::int64_t>(r.current->bytes));
    }
    upsert.bind(10, std::int64_t{r.pinned});
    upsert.bind(11, std::int64_t{r.paused});
    upsert.bind(12, r.defaults);
    upsert.bind(13, r.failure_reason);
    upsert.bind(14, r.failure_text);
    upsert.bind(15, r.created);
    upsert.bind(16, seal);
    upsert.bind(17, base);
    return upsert.run();
  }

  result<void> check_count() const {
    statement count(raw.get(), "SELECT count(*) FROM adapter WHERE base = ?1");
    count.bind(1, base);
    auto row = count.step();
    if (!row) return row.error();
    if (*row && count.number(0) <= static_cast<std::int64_t>(most_records)) return {};
    return fail(errc::out_of_memory, "the adapter catalogue is full: " + std::to_string(most_records) +
                                         " names; unload adapters that are not needed");
  }
};

catalogue_store::catalogue_store(std::unique_ptr<database> open) noexcept : database_(std::move(open)) {}
catalogue_store::catalogue_store(catalogue_store&&) noexcept = default;
catalogue_store::~catalogue_store() = default;

result<catalogue_store> catalogue_store::open(const std::string& data_dir,
                                              const std::array<std::uint8_t, 32>& base_digest) {
  if (data_dir.empty() || data_dir.find('\0') != std::string::npos) return unusable("has no path");
  if (::mkdir(data_dir.c_str(), 0700) != 0 && errno != EEXIST) return system_failed(errno);
  auto lock = hold_lock(data_dir + "/catalogue.lock");
  if (!lock) return lock.error();
  const auto path = data_dir + "/catalogue.sqlite3";
  if (auto sound = make_file(path); !sound) return sound.error();
  sqlite3* raw = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  auto out = std::unique_ptr<database>(
      new database{*std::move(lock), std::unique_ptr<sqlite3, database::closer>(raw), base_digest});
  if (!raw) return fail(errc::out_of_memory, "the adapter catalogue needs more memory");
  if (code != SQLITE_OK) return database_failed(raw, code);
  if (auto ok = prepare(raw); !ok) return ok.error();
  if (auto ok = check_format(raw); !ok) return ok.error();
  if (auto ok = check_pages(raw); !ok) return ok.error();
  return catalogue_store(std::move(out));
}

result<std::vector<catalogue_record>> catalogue_store::load() {
  statement rows(database_->raw.get(),
                 "SELECT " + std::string(columns) + " FROM adapter WHERE base = ?1 ORDER BY name");
  rows.bind(1, database_->base);
  std::vector<catalogue_record> out;
  while (true) {
    auto row = rows.step();
    if (!row) return row.error();
    if (!*row) return out;
    auto record = read_row(rows);
    if (!record || !check_record(*record)) return damaged();
    if (rows.digest(15) != seal_of(database_->base, *record)) return damaged();
    out.push_back(*std::move(record));
  }
}

result<void> catalogue_store::write(std::span<const catalogue_change> changes) {
  auto raw = database_->raw.get();
  transaction all(raw);
  if (auto ok = all.begin(); !ok) return ok;
  statement upsert(raw, "INSERT OR REPLACE INTO adapter(" + std::string(columns) +
                            ", base) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
                            "?15, ?16, ?17)");
  statement erase(raw, "DELETE FROM adapter WHERE base = ?1 AND name = ?2");
  for (auto& change : changes) {
    if (!change.record) {
      erase.bind(1, database_->base);
      erase.bind(2, change.name);
      if (auto ok = erase.run(); !ok) return ok;
      continue;
    }
    if (change.record->name != change.name)
      return fail(errc::invalid, "a change and its record have two names");
    if (auto ok = check_record(*change.record); !ok) return ok;
    if (auto ok = database_->put(upsert, *change.record); !ok) return ok;
  }
  if (auto ok = database_->check_count(); !ok) return ok;
  return all.keep();
}

}  // namespace lorica
