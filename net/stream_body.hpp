#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/optional.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace lorica {

/// A Beast body that hands over a 200's lines as they come and keeps the beginning of any other answer.
struct stream_body {
  static constexpr std::size_t most_kept = 64 * 1024;

  struct value_type {
    const std::function<void(std::string_view)>* line = nullptr;
    std::size_t longest_line = 0;
    std::string begun;  ///< of a line whose end has not come
    std::string text;   ///< of an answer that is not a 200
    bool too_long = false;

    /// False when a line passes the bound.
    bool take(std::string_view bytes) {
      while (!bytes.empty()) {
        auto feed = bytes.find('\n');
        auto piece = bytes.substr(0, feed);
        if (piece.size() > longest_line - begun.size()) return !(too_long = true);
        if (feed == std::string_view::npos) {
          begun += piece;
          return true;
        }
        bytes.remove_prefix(feed + 1);
        if (begun.empty()) {
          hand_over(piece);
        } else {
          begun += piece;
          hand_over(begun);
          begun.clear();
        }
      }
      return true;
    }

   private:
    void hand_over(std::string_view whole) const {
      if (whole.ends_with('\r')) whole.remove_suffix(1);
      (*line)(whole);
    }
  };

  class reader {
   public:
    template <bool IsRequest, class Fields>
    reader(boost::beast::http::header<IsRequest, Fields>& head, value_type& out) : out_(out) {
      // Read in `init`: the status is not there before.
      if constexpr (!IsRequest) status_ = [&head] { return head.result_int(); };
    }

    void init(const boost::optional<std::uint64_t>&, boost::beast::error_code& ec) {
      ec = {};
      streams_ = status_ && status_() == 200;
    }

    template <class Buffers>
    std::size_t put(const Buffers& buffers, boost::beast::error_code& ec) {
      ec = {};
      std::size_t taken = 0;
      for (auto b : boost::beast::buffers_range_ref(buffers)) {
        std::string_view bytes(static_cast<const char*>(b.data()), b.size());
        if (!streams_)
          out_.text += bytes.substr(0, most_kept - out_.text.size());
        else if (!out_.take(bytes))
          ec = boost::beast::http::error::buffer_overflow;
        taken += bytes.size();
      }
      return taken;
    }

    void finish(boost::beast::error_code& ec) {
      ec = {};
      if (streams_ && !out_.begun.empty()) out_.take("\n");
    }

   private:
    std::function<unsigned()> status_;
    bool streams_ = false;
    value_type& out_;
  };
};

}  // namespace lorica
