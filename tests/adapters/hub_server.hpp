#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace lorica::testing {

/// A request as it came to the fake Hub.
struct hub_call {
  std::string method;
  std::string target;
  std::string authorization;
  std::string range;
  bool at_other = false;  ///< it came to the second address
};

/// What the fake Hub answers; bad behaviour is said by the optional members.
struct hub_answer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
  std::optional<std::uint64_t> length;     ///< `Content-Length` other than that of the body
  std::optional<std::size_t> hold_after;   ///< stands still after so many bytes of the body, until `release`
  std::optional<std::size_t> reset_after;  ///< resets the connection after so many bytes of the body
};

/// Answers some requests in its own way; nothing: the Hub answers.
using hub_rule = std::function<std::optional<hub_answer>(const hub_call&)>;

/// A Hub on 127.0.0.1, whose large files lie on 127.0.0.2: a thread for each connection, plain sockets.
class hub_server {
 public:
  hub_server();
  ~hub_server();
  hub_server(const hub_server&) = delete;
  hub_server& operator=(const hub_server&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(ports_[0]); }
  std::string other_url() const { return "http://127.0.0.2:" + std::to_string(ports_[1]); }

  /// Puts a file into the commit that `main` of the repository means (at first forty times '1').
  void file(const std::string& id, const std::string& name, const std::string& content, bool large = false);
  /// Lets `main` mean another commit, forty times `digit`.
  void move(const std::string& id, char digit);
  /// Entries of the listing on one page.
  void page_size(std::size_t entries);
  void rule(hub_rule rule);

  std::vector<hub_call> calls() const;
  /// Calls whose target holds the text.
  std::size_t count(std::string_view part, std::string_view method = {}) const;

  /// Waits until so many bodies stand still; false after ten seconds.
  bool wait_held(std::size_t bodies);
  void release();

  /// What the Hub itself would answer.
  hub_answer answer(const hub_call& call) const;

  static std::string sha256_of(const std::string& content);
  static std::string git_oid_of(const std::string& content);

 private:
  struct content {
    std::string bytes;
    bool large = false;
  };
  struct repository {
    std::string commit = std::string(40, '1');
    std::map<std::string, std::map<std::string, content>> commits;
  };

  void accept_at(int listener, bool at_other);
  void serve(int socket, bool at_other);
  bool send_answer(int socket, const hub_call& call, const hub_answer& answer);
  hub_answer revision(const repository& r, const std::string& id, const std::string& revision) const;
  hub_answer listing(const repository& r, const std::string& target, const std::string& revision) const;
  hub_answer resolve(const repository& r, const std::string& revision, const std::string& name,
                     const hub_call& call) const;
  hub_answer large_file(const hub_call& call) const;

  // One lock for all: the server exists for tests, whose rules may keep what they count without a lock.
  mutable std::mutex guard_;
  std::condition_variable changed_;
  std::map<std::string, repository> repositories_;
  hub_rule rule_;
  std::vector<hub_call> calls_;
  std::size_t page_size_ = 1000;
  std::size_t held_ = 0;
  bool released_ = false;
  bool stopping_ = false;
  int listeners_[2] = {-1, -1};
  std::uint16_t ports_[2] = {0, 0};
  std::vector<int> sockets_;
  std::list<std::thread> threads_;
};

}  // namespace lorica::testing
