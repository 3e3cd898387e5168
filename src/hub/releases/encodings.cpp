#include "hub/releases/encodings.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "release/make_delta.hpp"

namespace starling::hub {

namespace fs = std::filesystem;
using protocol::Encoding;

namespace {

constexpr std::string_view whole_word = "packed";
constexpr std::string_view none_word = "none";

std::string word_of(const Digest& hash, std::string_view none) {
  return hash ? hash.hex() : std::string(none);
}

fs::path file_of(const fs::path& folder, const Digest& to, const Digest& from, const Digest& hash) {
  return folder / "encodings" / (to.hex() + "." + word_of(from, whole_word) + "." + word_of(hash, none_word));
}

Result<Digest> digest_of(std::string_view word, std::string_view none) {
  if (word == none) return Digest{};
  auto digest = Digest::from_hex(word);
  if (digest && !*digest) return fail(ErrorCode::invalid_argument, "no hash");
  return digest;
}

// TO, FROM and HASH of a file's name.
std::optional<std::array<Digest, 3>> parse_name(std::string_view name) {
  const std::size_t first = name.find('.');
  const std::size_t second = first == std::string_view::npos ? first : name.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto to = digest_of(name.substr(0, first), "");
  const auto from = digest_of(name.substr(first + 1, second - first - 1), whole_word);
  const auto hash = digest_of(name.substr(second + 1), none_word);
  if (!to || !*to || !from || !hash) return std::nullopt;
  return std::array{*to, *from, *hash};
}

bool is_there(const fs::path& path, std::uint64_t length) {
  std::error_code missing;
  return fs::file_size(path, missing) == length && !missing;
}

}  // namespace

Encodings::Encodings(Executor& executor, const Clock& clock, Logger logger, Options options)
    : executor_(executor), clock_(clock), logger_(logger), options_(options) {
  // Of that thread alone, on Linux: devices that are served come first.
  boost::asio::post(worker_, [] { ::setpriority(PRIO_PROCESS, 0, 10); });
}

// What a former hub has made. The oldest are the first to go.
void Encodings::load(const fs::path& folder) {
  if (!loaded_.insert(folder).second) return;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code error;
  for (fs::directory_iterator entries(folder / "encodings", error);
       !error && entries != fs::directory_iterator(); entries.increment(error)) {
    std::error_code unreadable;
    files.emplace_back(entries->last_write_time(unreadable), entries->path());
  }
  std::ranges::sort(files);
  for (const auto& [time, path] : files) {
    const auto name = parse_name(path.filename().string());
    std::error_code unreadable;
    const std::uint64_t length = name ? fs::file_size(path, unreadable) : 0;
    if (!name || unreadable) {
      fs::remove(path, unreadable);  // what a power cut has left
      continue;
    }
    Made made;
    made.hash = (*name)[2];
    made.length = length;
    keep({folder, (*name)[0], (*name)[1]}, made);
  }
  evict();
}

Encodings::Made& Encodings::want(const Key& key, const TarFile& to, const std::optional<TarFile>& from) {
  const auto [found, is_new] = all_.try_emplace(key);
  Made& made = found->second;
  made.used = ++uses_;
  if (made.hash && !is_there(file_of(key.folder, key.to, key.from, made.hash), made.length)) {
    drop(key, made);
  } else if (!is_new && (made.hash || made.waiting || !made.again || *made.again > clock_.steady())) {
    return made;
  }
  made.again = clock_.steady();  // as long as there is no place for it in the queue
  if (waiting_ >= options_.max_waiting) return made;
  ++waiting_;
  made.waiting = true;
  auto work = [this, job = Job{key, to, from}, stop = stopping_.get_token()]() mutable {
    Result<Made> encoding = make(job, stop);
    if (stop.stop_requested()) return;
    executor_.post([this, job = std::move(job), encoding = std::move(encoding)]() mutable {
      done(job, std::move(encoding));
    });
  };
  boost::asio::post(worker_, std::move(work));
  return made;
}

protocol::EncodingOffers Encodings::offers(const fs::path& folder, const TarFile& to,
                                           const std::optional<TarFile>& from) {
  load(folder);
  // A delta may be better than the whole before it is known how long that would be.
  const Made delta = from ? want({folder, to.hash, from->hash}, to, from) : Made{};
  const Made packed = want({folder, to.hash, {}}, to, std::nullopt);
  protocol::EncodingOffers offers;
  if (delta.hash && delta.length < (packed.hash ? packed.length : to.length))
    offers.ready.push_back({Encoding::delta, delta.length, delta.hash});
  if (packed.hash && packed.length < to.length)
    offers.ready.push_back({Encoding::packed, packed.length, packed.hash});
  const Made& best = from ? delta : packed;
  offers.making = !best.hash && (best.waiting || (best.again && *best.again <= clock_.steady()));
  return offers;
}

std::optional<Encodings::File> Encodings::find(const fs::path& folder, const Digest& to,
                                               const Digest& encoding) {
  load(folder);
  for (auto one = all_.lower_bound({folder, to, {}});
       one != all_.end() && one->first.folder == folder && one->first.to == to; ++one) {
    if (one->second.hash != encoding || !encoding) continue;
    one->second.used = ++uses_;
    return File{file_of(folder, to, one->first.from, encoding),
                one->first.from ? Encoding::delta : Encoding::packed};
  }
  return std::nullopt;
}

void Encodings::done(const Job& job, Result<Made> made) {
  --waiting_;
  all_[job.key].waiting = false;
  if (!made) {
    logger_.warning("a release is sent without an encoding that could not be made",
                    {{"sha256", job.to.hash.hex()},
                     {"from", word_of(job.key.from, "nothing")},
                     {"why", made.error().message}});
    all_[job.key].again = clock_.steady() + options_.try_again;
    return;
  }
  all_[job.key].again.reset();
  keep(job.key, *made);
  drop_useless(job);
  evict();
}

void Encodings::keep(const Key& key, Made made) {
  made.used = ++uses_;
  bytes_kept_ += made.length;
  all_[key] = made;
}

// A delta is of no use if the whole is no longer, and the whole packed if the tar is not.
void Encodings::drop_useless(const Job& job) {
  const Key whole{job.key.folder, job.key.to, {}};
  const auto packed = all_.find(whole);
  const bool is_packed = packed != all_.end() && packed->second.hash;
  const std::uint64_t shortest = std::min(job.to.length, is_packed ? packed->second.length : job.to.length);
  for (auto one = all_.lower_bound(whole);
       one != all_.end() && one->first.folder == whole.folder && one->first.to == whole.to; ++one) {
    const std::uint64_t most = one->first.from ? shortest : job.to.length;
    if (!one->second.hash || one->second.length < most) continue;
    drop(one->first, one->second);
    const auto noted = write_file_durably(file_of(whole.folder, whole.to, one->first.from, {}), "");
    if (!noted) logger_.warning("cannot note which delta is not worth it", {{"why", noted.error().message}});
  }
}

void Encodings::drop(const Key& key, Made& made) {
  std::error_code ignored;  // it is not there, or is swept by whoever has made the disk unwritable
  fs::remove(file_of(key.folder, key.to, key.from, made.hash), ignored);
  bytes_kept_ -= made.length;
  made.hash = {};
  made.length = 0;
}

void Encodings::evict() {
  while (bytes_kept_ > options_.max_bytes) {
    auto oldest = all_.end();
    for (auto one = all_.begin(); one != all_.end(); ++one) {
      if (one->second.hash && (oldest == all_.end() || one->second.used < oldest->second.used)) oldest = one;
    }
    if (oldest == all_.end()) return;
    drop(oldest->first, oldest->second);
    all_.erase(oldest);
  }
}

// ---- the worker

Result<Encodings::Made> Encodings::make(const Job& job, const std::stop_token& stop) const {
  const auto bytes = make_encoding(job.to, job.from, stop);
  if (!bytes && bytes.error().code != ErrorCode::too_large) return fail(bytes);
  Made made;
  if (bytes && bytes->size() <= options_.max_bytes) {
    made.hash = sha256(*bytes);
    made.length = bytes->size();
  }
  if (auto there = make_folders(job.key.folder / "encodings", 0700); !there) return fail(there);
  const fs::path file = file_of(job.key.folder, job.key.to, job.key.from, made.hash);
  const auto written = write_file_durably(file, made.hash ? std::string_view(*bytes) : "");
  return written ? Result<Made>(made) : fail(written);
}

}  // namespace starling::hub
