#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lorica::testing {

/// A reply as it came: field names in lower case, chunks joined and also apart.
struct raw_reply {
  int status = 0;
  std::map<std::string, std::string> fields;
  std::string body;
  std::vector<std::string> chunks;
  bool complete = false;  ///< the body ended the way its framing says
};

/// A blocking client over a plain socket of the loopback; gives up after ten seconds of silence.
class raw_client {
 public:
  /// `receive_buffer` in bytes; 0 leaves the system's.
  explicit raw_client(std::uint16_t port, int receive_buffer = 0);

  /// Calls `between` when the socket is made and not yet connected.
  raw_client(std::uint16_t port, const std::function<void()>& between);
  virtual ~raw_client();
  raw_client(const raw_client&) = delete;
  raw_client& operator=(const raw_client&) = delete;

  /// False when the peer took not all of it.
  bool send(std::string_view bytes);
  bool post(std::string_view path, std::string_view body, std::string_view field_lines = {});
  void get(std::string_view path, std::string_view field_lines = {});

  /// Any method; `field_lines` may bring another Host. A body that is not empty is JSON.
  bool ask(std::string_view method, std::string_view path, std::string_view body = {},
           std::string_view field_lines = {});

  /// One reply; `method` HEAD has no body.
  raw_reply read(std::string_view method = "GET");

  /// The head of a reply; `read_chunk` goes on.
  raw_reply read_head();

  /// The next chunk of a chunked body; empty at its end or when the connection ended.
  std::string read_chunk();

  /// True when the server has closed and nothing is left to read; false too when it does neither for ten
  /// seconds.
  bool at_end();

  /// True when there is something to read, or the end; false when nothing comes within `limit`.
  bool readable(std::chrono::milliseconds limit) const;

  /// Reads and drops `count` bytes at most, as a slow reader does; false at the end.
  bool sip(std::size_t count);

  virtual void half_close();
  void reset();

 protected:
  virtual std::ptrdiff_t write_some(std::string_view bytes);
  virtual std::ptrdiff_t read_some(char* into, std::size_t size);
  int fd() const noexcept { return fd_; }

 private:
  void connect(std::uint16_t port);
  bool fill();
  bool line(std::string& out);
  bool take(std::size_t count, std::string& out);

  int fd_;
  bool stalled_ = false;  ///< the last read gave up
  std::string buffer_;
};

/// A request and its reply on a connection of their own.
raw_reply post(std::uint16_t port, std::string_view path, std::string_view body,
               std::string_view field_lines = {});
raw_reply get(std::uint16_t port, std::string_view path, std::string_view field_lines = {});
raw_reply ask(std::uint16_t port, std::string_view method, std::string_view path, std::string_view body = {},
              std::string_view field_lines = {});

}  // namespace lorica::testing
