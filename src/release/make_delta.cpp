#include "release/make_delta.hpp"

#include <divsufsort.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>
#include <vector>

#include "release/delta.hpp"

namespace starling::release {
namespace {

// A match that goes on is cut here, so that no single look is long; the next one goes on where it ends.
constexpr std::size_t longest_match = std::size_t{64} << 10;
constexpr std::size_t long_match = 64;
// How much better another place must be than the one where the bytes are being taken from: a step costs about
// that.
constexpr std::size_t worth_a_step = 8;

std::size_t common_prefix(std::string_view a, std::string_view b, std::size_t known) {
  const std::size_t limit = std::min(a.size(), b.size());
  std::size_t size = known;
  while (limit - size >= sizeof(std::uint64_t) &&
         std::memcmp(a.data() + size, b.data() + size, sizeof(std::uint64_t)) == 0)
    size += sizeof(std::uint64_t);
  while (size < limit && a[size] == b[size])
    ++size;
  return size;
}

struct Match {
  std::size_t place = 0, size = 0;
};

// Finds the longest place in the old bytes that is like the beginning of others.
class SuffixIndex {
 public:
  explicit SuffixIndex(std::string_view bytes) : bytes_(bytes), suffixes_(bytes.size()) {
    if (!bytes.empty() && divsufsort(reinterpret_cast<const sauchar_t*>(bytes.data()), suffixes_.data(),
                                     static_cast<saidx_t>(bytes.size())) != 0)
      throw std::bad_alloc();
  }

  Match longest(std::string_view wanted) const {
    wanted = wanted.substr(0, longest_match);
    Match best;
    std::size_t low = 0, high = suffixes_.size();
    std::size_t common_low = 0, common_high = 0;  // with the neighbours outside [low, high)
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      const auto place = static_cast<std::size_t>(suffixes_[middle]);
      const std::string_view suffix = bytes_.substr(place);
      const std::size_t common = common_prefix(suffix, wanted, std::min(common_low, common_high));
      if (common > best.size) best = {place, common};
      if (common == wanted.size()) break;
      const bool before = common == suffix.size() || static_cast<unsigned char>(suffix[common]) <
                                                         static_cast<unsigned char>(wanted[common]);
      (before ? low : high) = before ? middle + 1 : middle;
      (before ? common_low : common_high) = common;
    }
    return best;
  }

 private:
  std::string_view bytes_;
  std::vector<saidx_t> suffixes_;
};

void append_number(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7)
    out += static_cast<char>((number & 0x7f) | 0x80);
  out += static_cast<char>(number);
}

// Goes through the new bytes along *alignments*: new[i] is taken from old[i + shift] for as long as that is
// near enough.
class DeltaMaker {
 public:
  DeltaMaker(std::string_view old_bytes, std::string_view new_bytes, const std::stop_token& stop)
      : old_(old_bytes), new_(new_bytes), stop_(stop), index_(old_bytes) {}

  void run() {
    std::size_t at = 0;
    while (at < new_.size() && !stop_.stop_requested()) {
      const Match match = next_alignment(at);
      close_step(at, match);
      at += match.size;
    }
    close_step(new_.size(), {});
  }

  std::string control, differences, literals;

 private:
  bool agrees(std::size_t at) const {
    const std::int64_t place = static_cast<std::int64_t>(at) + shift_;
    return place >= 0 && place < static_cast<std::int64_t>(old_.size()) &&
           old_[static_cast<std::size_t>(place)] == new_[at];
  }

  // Moves `at` on to where another place in the old bytes begins to be clearly better. Size 0: there is none.
  Match next_alignment(std::size_t& at) const {
    std::size_t counted = at, agreeing = 0;  // in [at, counted), along the present alignment
    while (at < new_.size() && !stop_.stop_requested()) {
      const Match match = index_.longest(new_.substr(at));
      for (; counted < at + match.size; ++counted)
        agreeing += agrees(counted) ? 1 : 0;
      if (match.size > agreeing + worth_a_step) return match;
      // Nothing better begins in what agrees as it is. In much that nearly does, where something better
      // begins is found backwards later: byte by byte such places would take hours.
      const std::size_t skipped = agreeing == match.size    ? std::max<std::size_t>(match.size, 1)
                                  : match.size < long_match ? 1
                                                            : match.size / 2;
      for (std::size_t i = 0; i < skipped && at < new_.size(); ++i, ++at) {
        if (at < counted) agreeing -= agrees(at) ? 1 : 0;
      }
      counted = std::max(counted, at);
    }
    return {};
  }

  // How far to go on along the present alignment, when the next begins at `end`: to where most bytes agree.
  std::size_t forward(std::size_t end) const {
    const std::size_t limit = std::min(end - done_, old_.size() - place_);
    std::int64_t score = 0, best = 0;
    std::size_t size = 0;
    for (std::size_t i = 0; i < limit; ++i) {
      score += old_[place_ + i] == new_[done_ + i] ? 1 : -1;
      if (score > best) {
        best = score;
        size = i + 1;
      }
    }
    return size;
  }

  std::size_t backward(std::size_t at, std::size_t place) const {
    const std::size_t limit = std::min(at - done_, place);
    std::int64_t score = 0, best = 0;
    std::size_t size = 0;
    for (std::size_t i = 1; i <= limit; ++i) {
      score += old_[place - i] == new_[at - i] ? 1 : -1;
      if (score > best) {
        best = score;
        size = i;
      }
    }
    return size;
  }

  // Where two alignments both reach, the bytes before the best cut go to the former.
  std::size_t cut(std::size_t first_end, std::size_t overlap, std::size_t at, std::size_t place) const {
    std::int64_t score = 0, best = 0;
    std::size_t size = 0;
    for (std::size_t i = 0; i < overlap; ++i) {
      const std::size_t byte = first_end - overlap + i;
      if (new_[byte] == old_[place_ + (byte - done_)]) ++score;
      if (new_[byte] == old_[place - (at - byte)]) --score;
      if (score > best) {
        best = score;
        size = i + 1;
      }
    }
    return size;
  }

  // Writes what lies before `at`, where `match` begins (nothing, at the end).
  void close_step(std::size_t at, Match match) {
    std::size_t taken = forward(at);
    std::size_t back = match.size > 0 ? backward(at, match.place) : 0;
    if (done_ + taken > at - back) {
      const std::size_t overlap = done_ + taken - (at - back);
      const std::size_t kept = cut(done_ + taken, overlap, at, match.place);
      taken = taken - overlap + kept;
      back -= kept;
    }
    write_step(taken, at - back - (done_ + taken));
    done_ = at - back;
    place_ = match.place - back;
    shift_ = static_cast<std::int64_t>(match.place) - static_cast<std::int64_t>(at);
  }

  void write_step(std::size_t taken, std::size_t inserted) {
    if (taken + inserted == 0) return;
    const std::int64_t move = static_cast<std::int64_t>(place_) - static_cast<std::int64_t>(written_place_);
    append_number(
        control, move < 0 ? static_cast<std::uint64_t>(-move) * 2 - 1 : static_cast<std::uint64_t>(move) * 2);
    append_number(control, taken);
    append_number(control, inserted);
    for (std::size_t i = 0; i < taken; ++i) {
      differences += static_cast<char>(static_cast<unsigned char>(new_[done_ + i]) -
                                       static_cast<unsigned char>(old_[place_ + i]));
    }
    literals += new_.substr(done_ + taken, inserted);
    written_place_ = place_ + taken;
  }

  std::string_view old_, new_;
  const std::stop_token& stop_;  // then what is made is of no use
  SuffixIndex index_;
  std::int64_t shift_ = 0;  // of the present alignment
  std::size_t done_ = 0;    // what is written of the new bytes
  std::size_t place_ = 0;   // where in the old bytes the present alignment goes on
  std::size_t written_place_ = 0;
};

Result<std::string> read_all(Bytes& bytes) {
  if (bytes.size() > max_delta_input) {
    return fail(ErrorCode::too_large,
                fmt::format("a delta is made of releases of at most {} MiB", max_delta_input >> 20));
  }
  std::string out(static_cast<std::size_t>(bytes.size()), '\0');
  if (auto read = bytes.read(0, out); !read) return fail(read);
  return out;
}

}  // namespace

std::uint64_t bytes_to_make_delta(std::uint64_t old_size, std::uint64_t new_size) {
  constexpr std::uint64_t for_lzma = 100u << 20;
  return 5 * old_size + 4 * new_size + for_lzma;
}

Result<std::string> make_delta(Bytes& old_tar, Bytes& new_tar, const std::stop_token& stop) {
  const auto old_bytes = read_all(old_tar);
  if (!old_bytes) return fail(old_bytes);
  const auto new_bytes = read_all(new_tar);
  if (!new_bytes) return fail(new_bytes);
  DeltaMaker maker(*old_bytes, *new_bytes, stop);
  maker.run();
  DeltaHead head{.old_hash = sha256(*old_bytes),
                 .new_hash = sha256(*new_bytes),
                 .old_size = old_bytes->size(),
                 .new_size = new_bytes->size(),
                 .control = {},
                 .differences = {},
                 .literals = {}};
  std::string packed;
  const auto pack = [&](const std::string& bytes) {
    const std::string encoded = lzma_encode(bytes, stop);
    packed += encoded;
    return DeltaHead::Stream{bytes.size(), encoded.size()};
  };
  head.control = pack(maker.control);
  head.differences = pack(maker.differences);
  head.literals = pack(maker.literals);
  if (stop.stop_requested()) return fail(ErrorCode::unavailable, "the making of the delta was stopped");
  return delta_head_bytes_of(head) + packed;
}

}  // namespace starling::release
