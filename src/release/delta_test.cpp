#include "release/delta.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "release/folder_fixture.hpp"
#include "release/make_delta.hpp"

namespace starling::release {
namespace {

using testing::HasSubstr;

// The same on every machine.
std::string noise(std::size_t size, std::uint32_t seed = 1) {
  std::string out(size, '\0');
  for (char& c : out) {
    seed = seed * 1664525 + 1013904223;
    c = static_cast<char>(seed >> 24);
  }
  return out;
}

// Machine code, so to speak: addresses in it, all of them moved by `shift`.
std::string code(std::size_t instructions, std::uint32_t shift) {
  std::string out;
  const std::string text = noise(instructions * 4, 7);
  for (std::size_t i = 0; i < instructions; ++i) {
    const auto address = static_cast<std::uint32_t>(i * 977 + shift);
    out += text.substr(i * 4, 4);
    for (int byte = 0; byte < 4; ++byte)
      out += static_cast<char>(address >> (8 * byte));
  }
  return out;
}

std::string delta_of(std::string_view old_tar, std::string_view new_tar) {
  MemoryBytes from(old_tar);
  MemoryBytes to(new_tar);
  return make_delta(from, to).value();
}

// What the delta makes of the old one; at most `size` bytes, whatever it says.
Result<std::string> apply(std::string_view delta, Bytes& old_tar, std::size_t size) {
  MemoryBytes bytes(delta);
  auto reader = DeltaReader::open(bytes, old_tar, size);
  if (!reader) return fail(reader);
  std::string out;
  while (true) {
    const auto piece = reader->next();
    if (!piece) return fail(piece);
    if (piece->empty()) return out;
    out += *piece;
    EXPECT_LE(out.size(), size);
  }
}

Result<std::string> apply(std::string_view delta, std::string_view old_tar, std::size_t size) {
  MemoryBytes bytes(old_tar);
  return apply(delta, bytes, size);
}

TEST(Delta, MakesTheNewOneOfTheOld) {
  const std::string base = noise(200'000);
  const std::string zeros(300'000, '\0');
  const struct {
    const char* name;
    std::string from, to;
    std::size_t at_most;
  } cases[] = {
      {"nothing", "", "", 400},
      {"from nothing", "", base, 201'000},
      {"to nothing", base, "", 400},
      {"the same", base, base, 400},
      {"one byte", base, base.substr(0, 777) + '!' + base.substr(778), 400},
      {"something put in", base, base.substr(0, 999) + "something" + base.substr(999), 400},
      {"something taken out", base, base.substr(0, 999) + base.substr(5999), 400},
      {"moved about", base, base.substr(150'000) + base.substr(50'000, 50'000) + base.substr(0, 50'000), 400},
      {"twice", base, base + base, 400},
      {"half of it twice", base + base, base, 400},
      {"the beginning", base, base.substr(0, 1), 400},
      {"the end", base, base.substr(base.size() - 1), 400},
      {"nothing alike", base, noise(50'000, 99), 51'000},
      {"zeros", zeros, zeros + "x" + zeros, 400},
      {"addresses", code(10'000, 0), code(10'000, 0x1234), 3'000},
  };
  for (const auto& c : cases) {
    const std::string delta = delta_of(c.from, c.to);
    const auto made = apply(delta, c.from, c.to.size());
    ASSERT_TRUE(made) << c.name << ": " << made.error().message;
    EXPECT_TRUE(*made == c.to) << c.name;
    EXPECT_LE(delta.size(), c.at_most) << c.name;
    EXPECT_EQ(delta_of(c.from, c.to), delta) << c.name;
  }
}

// Where another place is always a little better than the one at hand, looking byte by byte would take hours.
TEST(Delta, IsDoneWithWhatIsNearlyTheSameEverywhere) {
  std::string from, to;
  for (int i = 0; i < 40; ++i)
    from += std::string(50'000, 'a') + static_cast<char>(i);
  for (int i = 0; i < 40; ++i)
    to += std::string(49'990, 'a') + static_cast<char>(i * 3);
  const std::string delta = delta_of(from, to);
  EXPECT_TRUE(apply(delta, from, to.size()).value() == to);
}

TEST(Delta, SaysWhichReleasesItIsFor) {
  const std::string from = noise(1000);
  const std::string to = noise(2000, 2);
  const std::string delta = delta_of(from, to);
  MemoryBytes bytes(delta);
  const auto head = read_delta_head(bytes);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->old_hash, sha256(from));
  EXPECT_EQ(head->new_hash, sha256(to));
  EXPECT_EQ(delta_head_bytes_of(*head), delta.substr(0, delta_head_bytes));
  EXPECT_EQ(apply(delta, from + "x", to.size()).error().code, ErrorCode::failed_precondition);
  EXPECT_EQ(apply(delta, from, to.size() - 1).error().code, ErrorCode::failed_precondition);
}

TEST(Delta, ADamagedOneMakesNoMoreThanWasSigned) {
  const std::string from = noise(3000);
  const std::string to = from.substr(1000) + noise(500, 3) + from.substr(0, 700);
  const std::string delta = delta_of(from, to);
  for (std::size_t i = 0; i < delta.size(); ++i) {
    EXPECT_FALSE(apply(delta.substr(0, i), from, to.size())) << i;
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string damaged = delta;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      const auto made = apply(damaged, from, to.size());
      if (made) {
        EXPECT_EQ(made->size(), to.size()) << i;
      }
    }
  }
  EXPECT_FALSE(apply(delta + "x", from, to.size()));
}

// A delta whose control stream is written by hand.
std::string delta_with(std::string_view control, std::string_view differences, std::string_view literals,
                       std::size_t old_size) {
  DeltaHead head{.old_hash = {},
                 .new_hash = {},
                 .old_size = old_size,
                 .new_size = differences.size() + literals.size(),
                 .control = {},
                 .differences = {},
                 .literals = {}};
  std::string packed;
  const auto pack = [&packed](std::string_view bytes) {
    const std::string encoded = lzma_encode(bytes);
    packed += encoded;
    return DeltaHead::Stream{bytes.size(), encoded.size()};
  };
  head.control = pack(control);
  head.differences = pack(differences);
  head.literals = pack(literals);
  return delta_head_bytes_of(head) + packed;
}

TEST(Delta, AStepThatLeadsElsewhereIsRefused) {
  const std::string old_tar = "0123456789";
  const std::string zeros(8, '\0');
  using namespace std::string_view_literals;
  const auto made = [&](std::string_view control) {
    return apply(delta_with(control, zeros, "xy", old_tar.size()), old_tar, 10);
  };
  EXPECT_EQ(made("\0\x08\x02"sv).value(), "01234567xy");
  EXPECT_EQ(made("\x04\x08\x02"sv).value(), "23456789xy");
  EXPECT_EQ(made("\x0a\x04\x01\x11\x04\x01"sv).value(), "5678x0123y");
  for (const std::string_view control :
       {""sv, "\0"sv, "\0\x08"sv, "\0\x09\x01"sv, "\0\x0a\0"sv, "\x06\x08\x02"sv, "\x01\x08\x02"sv,
        "\x16\x08\x02"sv, "\0\0\0\0\x08\x02"sv, "\0\x08\x02\0"sv, "\0\x08\x03"sv,
        "\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02"sv, "\xff\xff\xff\xff\xff\xff\x7f\x08\x02"sv}) {
    const auto refused = made(control);
    ASSERT_FALSE(refused) << testing::PrintToString(control);
    EXPECT_EQ(refused.error().code, ErrorCode::malformed);
  }
}

class Unreadable final : public Bytes {
 public:
  std::uint64_t size() const override { return 3000; }
  Result<void> read(std::uint64_t, std::span<char>) override {
    return fail(ErrorCode::io, "the card is broken");
  }
};

TEST(Delta, AnOldReleaseThatCannotBeReadIsTold) {
  const std::string from = noise(3000);
  Unreadable old_tar;
  EXPECT_THAT(apply(delta_of(from, from + "x"), old_tar, 3001).error().message,
              HasSubstr("the card is broken"));
}

using DeltaOfReleases = FolderTest;

TEST_F(DeltaOfReleases, IsAppliedToWhatWasUnpacked) {
  write_client();
  write("model", noise(300'000));
  ASSERT_TRUE(pack("old.tar"));
  output_of("mkdir unpacked && tar -xf old.tar -C unpacked");
  write("client.py", "print('hello, world')\n", true);
  write("lib/new.py", "new");
  ASSERT_TRUE(pack("new.tar"));
  const std::string delta = delta_of(bytes_of("old.tar"), bytes_of("new.tar"));
  EXPECT_LT(delta.size(), 1000u);
  auto unpacked = ReleaseImage::of_unpacked(root_ / "unpacked");
  ASSERT_TRUE(unpacked);
  const std::string new_tar = bytes_of("new.tar");
  EXPECT_TRUE(apply(delta, *unpacked, new_tar.size()).value() == new_tar);

  // What is damaged on the device shows in the hash, or before.
  write("../unpacked/payload/model", noise(300'000, 2));
  auto damaged = ReleaseImage::of_unpacked(root_ / "unpacked");
  EXPECT_NE(sha256(apply(delta, *damaged, new_tar.size()).value()), sha256(new_tar));
}

}  // namespace
}  // namespace starling::release
