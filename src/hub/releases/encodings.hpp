// Purpose: what is sent instead of the tars of releases: each whole one packed, and deltas between two of
// them, made when somebody asks for the first time, on a thread of their own, and kept on disk up to a bound.
// Counts what is sent. Owner: Repositories. Thread: the hub's; completions come back through the Executor.
// Lifetime: the Executor and Clock outlive it; destroyed before the io_context ends.
//
//   FLEET/encodings/TAR.packed.HASH     HASH is that of the file itself
//   FLEET/encodings/TAR.OLDTAR.HASH     a delta
//   FLEET/encodings/TAR.OLDTAR.none     it is not worth it
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <stop_token>

#include "base/clock.hpp"
#include "base/http/message.hpp"
#include "base/log.hpp"
#include "hub/executor.hpp"
#include "hub/releases/encoding_maker.hpp"
#include "protocol/release_encodings.hpp"

namespace starling::hub {

class Encodings {
 public:
  struct Options {
    std::uint64_t max_bytes = std::uint64_t{1} << 30;  // of all fleets; what was used longest ago goes
    std::size_t max_waiting = 64;                      // to be made
    std::chrono::hours try_again{1};                   // what could not be made
  };
  using Counts = std::map<protocol::Encoding, std::uint64_t>;

  Encodings(Executor& executor, const Clock& clock, Logger logger, Options options);
  ~Encodings() { stopping_.request_stop(); }

  // What there is, of published tars of the fleet whose repository is in `folder`. What is missing is made.
  protocol::EncodingOffers offers(const std::filesystem::path& folder, const TarFile& to,
                                  const std::optional<TarFile>& from);
  struct File {
    std::filesystem::path path;
    protocol::Encoding encoding;
  };
  // `encoding`: the hash that was offered. nullopt: it is not there (any more).
  std::optional<File> find(const std::filesystem::path& folder, const Digest& to, const Digest& encoding);

  // An answer that is sent so. Of one that breaks off on its way all is counted.
  void count(protocol::Encoding encoding, const http::Response& response) {
    if (response.file) sent_[encoding] += response.file->length;
  }
  const Counts& sent() const { return sent_; }
  std::uint64_t bytes_kept() const { return bytes_kept_; }

 private:
  struct Key {
    std::filesystem::path folder;
    Digest to, from;  // none: the whole
    auto operator<=>(const Key&) const = default;
  };
  struct Made {
    Digest hash;  // none: there is no file
    std::uint64_t length = 0;
    std::uint64_t used = 0;           // the larger the later
    bool waiting = false;             // for the worker
    std::optional<SteadyTime> again;  // when to try once more
  };
  struct Job {
    Key key;
    TarFile to;
    std::optional<TarFile> from;
  };

  void load(const std::filesystem::path& folder);
  Made& want(const Key& key, const TarFile& to, const std::optional<TarFile>& from);
  void done(const Job& job, Result<Made> made);
  void keep(const Key& key, Made made);
  void drop_useless(const Job& job);
  void drop(const Key& key, Made& made);
  void evict();
  Result<Made> make(const Job& job, const std::stop_token& stop) const;

  Executor& executor_;
  const Clock& clock_;
  Logger logger_;
  const Options options_;
  std::map<Key, Made> all_;
  std::set<std::filesystem::path> loaded_;
  std::uint64_t bytes_kept_ = 0, uses_ = 0;
  std::size_t waiting_ = 0;
  Counts sent_;
  std::stop_source stopping_;
  boost::asio::thread_pool worker_{1};  // ends first
};

}  // namespace starling::hub
