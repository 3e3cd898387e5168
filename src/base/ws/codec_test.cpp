#include "base/ws/codec.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <vector>

namespace starling::ws {
namespace {

constexpr MaskKey key{0x37, 0xfa, 0x21, 0x3d};
constexpr std::size_t max_message = 70'000;

// A frame as a client sends it, with whatever in its first byte.
std::string client_frame(int first_byte, std::string_view payload) {
  std::string frame = encode_frame(Opcode::text, payload, key);
  frame[0] = static_cast<char>(first_byte);
  return frame;
}

std::string text(std::string_view payload) {
  return client_frame(0x81, payload);
}
std::string close_frame(std::string_view payload) {
  return client_frame(0x88, payload);
}
std::string close_code(int code, std::string_view reason = {}) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  return close_frame(payload += reason);
}

// What comes out, as text: one entry for each event, long payloads by their size.
std::string trace_of(std::string bytes, std::size_t step, Role role = Role::server) {
  using Kind = Decoder::Event::Kind;
  Decoder decoder(role, max_message);
  std::string trace;
  for (std::size_t begin = 0; begin < bytes.size(); begin += step) {
    std::span<char> input = std::span(bytes).subspan(begin, std::min(step, bytes.size() - begin));
    for (;;) {
      const Decoder::Event event = decoder.next(input);
      if (event.kind == Kind::need_more) break;
      const std::string payload =
          event.payload.size() > 64 ? fmt::format("<{}>", event.payload.size()) : std::string(event.payload);
      switch (event.kind) {
        case Kind::text: trace += "text(" + payload + ") "; break;
        case Kind::binary: trace += "binary(" + payload + ") "; break;
        case Kind::ping: trace += "ping(" + payload + ") "; break;
        case Kind::pong: trace += "pong(" + payload + ") "; break;
        case Kind::close: trace += fmt::format("close({},{}) ", static_cast<int>(event.code), payload); break;
        default: return trace + fmt::format("violation({})", static_cast<int>(event.code));
      }
    }
  }
  return trace;
}

struct Case {
  const char* name;
  std::string bytes;
  std::string trace;
};

void expect_all(const std::vector<Case>& cases) {
  for (const Case& test : cases) {
    SCOPED_TRACE(test.name);
    for (const std::size_t step : {std::size_t(1), std::size_t(2), std::size_t(3), std::size_t(7),
                                   std::size_t(1000), test.bytes.size() + 1}) {
      EXPECT_EQ(trace_of(test.bytes, step), test.trace) << "in pieces of " << step;
    }
  }
}

// The sections follow those of the public Autobahn test suite.
TEST(Codec, Section1Framing) {
  std::vector<Case> cases;
  for (const std::size_t size : {0u, 1u, 64u}) {
    const std::string payload(size, '*');
    cases.push_back({"text", text(payload), "text(" + payload + ") "});
    cases.push_back({"binary", client_frame(0x82, payload), "binary(" + payload + ") "});
  }
  for (const std::size_t size : {125u, 126u, 127u, 128u, 65'535u, 65'536u, 70'000u}) {
    cases.push_back({"long text", text(std::string(size, '*')), fmt::format("text(<{}>) ", size)});
    cases.push_back(
        {"long binary", client_frame(0x82, std::string(size, '\xfe')), fmt::format("binary(<{}>) ", size)});
  }
  cases.push_back({"two messages", text("one") + text("two"), "text(one) text(two) "});
  expect_all(cases);
}

TEST(Codec, Section2PingsAndPongs) {
  const std::string longest(125, 'p');
  expect_all({
      {"empty ping", client_frame(0x89, ""), "ping() "},
      {"ping with text", client_frame(0x89, "Hello, world!"), "ping(Hello, world!) "},
      {"ping with any bytes", client_frame(0x89, "\xff\xfe"), "ping(\xff\xfe) "},
      {"longest ping", client_frame(0x89, longest), "ping(<125>) "},
      {"ping too long", client_frame(0x89, longest + "p"), "violation(1002)"},
      {"unsolicited pong", client_frame(0x8a, "x") + client_frame(0x89, "y"), "pong(x) ping(y) "},
  });
}

TEST(Codec, Section3ReservedBits) {
  expect_all({
      {"first", client_frame(0xc1, "x"), "violation(1002)"},
      {"second", client_frame(0xa1, "x"), "violation(1002)"},
      {"third", client_frame(0x91, "x"), "violation(1002)"},
      {"all on a ping after a text", text("x") + client_frame(0xf9, ""), "text(x) violation(1002)"},
      {"on a close", client_frame(0xc8, ""), "violation(1002)"},
  });
}

TEST(Codec, Section4Opcodes) {
  std::vector<Case> cases;
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    cases.push_back({"reserved", text("x") + client_frame(0x80 | opcode, "y"), "text(x) violation(1002)"});
  }
  expect_all(cases);
}

TEST(Codec, Section5Fragmentation) {
  expect_all({
      {"fragmented ping", client_frame(0x09, "a") + client_frame(0x80, "b"), "violation(1002)"},
      {"fragmented pong", client_frame(0x0a, "a"), "violation(1002)"},
      {"fragmented close", client_frame(0x08, ""), "violation(1002)"},
      {"two fragments", client_frame(0x01, "frag") + client_frame(0x80, "ment"), "text(fragment) "},
      {"binary fragments", client_frame(0x02, "\xff") + client_frame(0x80, "\xfe"), "binary(\xff\xfe) "},
      {"a ping between", client_frame(0x01, "a") + client_frame(0x89, "p") + client_frame(0x80, "b"),
       "ping(p) text(ab) "},
      {"pings between many",
       client_frame(0x01, "a") + client_frame(0x89, "1") + client_frame(0x00, "b") + client_frame(0x89, "2") +
           client_frame(0x00, "") + client_frame(0x80, "c") + text("next"),
       "ping(1) ping(2) text(abc) text(next) "},
      {"empty fragments", client_frame(0x01, "") + client_frame(0x00, "") + client_frame(0x80, ""),
       "text() "},
      {"nothing to continue", client_frame(0x80, "x"), "violation(1002)"},
      {"nothing to continue any more", text("a") + client_frame(0x00, "x"), "text(a) violation(1002)"},
      {"text within text", client_frame(0x01, "a") + text("b"), "violation(1002)"},
      {"binary within text", client_frame(0x01, "a") + client_frame(0x82, "b"), "violation(1002)"},
      {"close within a message", client_frame(0x01, "a") + close_code(1000), "close(1000,) "},
  });
}

TEST(Codec, Section6Utf8) {
  const std::string greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
  std::vector<Case> cases = {
      {"valid", text(greek), "text(" + greek + ") "},
      {"valid, cut within a character",
       client_frame(0x01, greek.substr(0, 3)) + client_frame(0x80, greek.substr(3)), "text(" + greek + ") "},
      {"ends within a character", text(greek.substr(0, 1)), "violation(1007)"},
      {"ends within a character, fragmented",
       client_frame(0x01, "a") + client_frame(0x80, greek.substr(0, 1)), "violation(1007)"},
      {"wrong before the end has come", client_frame(0x01, greek + "\xed\xa0\x80"), "violation(1007)"},
      {"wrong in a later fragment", client_frame(0x01, greek) + client_frame(0x00, "\xf4\x90"),
       "violation(1007)"},
  };
  for (const char* good : {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\x7f"}) {
    cases.push_back({"border, valid", text(good), std::string("text(") + good + ") "});
  }
  for (const char* bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
        "\xc2"
        "A",
        "\xe1\x80"
        "A",
        "\xf1\x80\x80"
        "A"}) {
    cases.push_back({"border, invalid", text(std::string("ok") + bad), "violation(1007)"});
  }
  expect_all(cases);
}

TEST(Codec, Section7Close) {
  const std::string longest(123, 'r');
  std::vector<Case> cases = {
      {"no code", close_frame(""), "close(1005,) "},
      {"half a code", close_frame("\x03"), "violation(1002)"},
      {"code and reason", close_code(1000, "Hello World!"), "close(1000,Hello World!) "},
      {"longest reason", close_code(1000, longest), "close(1000,<123>) "},
      {"reason too long", close_code(1000, longest + "r"), "violation(1002)"},
      {"reason not UTF-8", close_code(1000, "\xce"), "violation(1007)"},
  };
  for (const int code :
       {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999}) {
    cases.push_back({"allowed", close_code(code), fmt::format("close({},) ", code)});
  }
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    cases.push_back({"not allowed", close_code(code), "violation(1002)"});
  }
  expect_all(cases);
}

TEST(Codec, Section9Limits) {
  const std::string half(max_message / 2, 'h');
  expect_all({
      {"one frame too large", text(std::string(max_message + 1, 'x')), "violation(1009)"},
      {"told by the header alone", text(std::string(max_message + 1, 'x')).substr(0, 14), "violation(1009)"},
      {"fragments too large together",
       client_frame(0x01, half) + client_frame(0x00, half) + client_frame(0x80, "x"), "violation(1009)"},
      {"fragments just fit", client_frame(0x01, half) + client_frame(0x80, half), "text(<70000>) "},
      {"a length of 2^63", std::string("\x81\xff\x80\0\0\0\0\0\0\0keyk", 14), "violation(1002)"},
      {"a length of 2^62", std::string("\x81\xff\x40\0\0\0\0\0\0\0keyk", 14), "violation(1009)"},
      {"16-bit length for 125",
       std::string("\x81\xfe\0\x7d"
                   "keyk",
                   8),
       "violation(1002)"},
      {"64-bit length for 65535",
       std::string("\x81\xff\0\0\0\0\0\0\xff\xff"
                   "keyk",
                   14),
       "violation(1002)"},
  });
}

TEST(Codec, EachEndDemandsItsMasking) {
  EXPECT_EQ(trace_of(encode_frame(Opcode::text, "x", std::nullopt), 1), "violation(1002)");
  EXPECT_EQ(trace_of(encode_frame(Opcode::text, "x", key), 1, Role::client), "violation(1002)");
  EXPECT_EQ(trace_of(encode_frame(Opcode::text, "x", std::nullopt), 1, Role::client), "text(x) ");
  EXPECT_EQ(trace_of(encode_frame(Opcode::close, "", std::nullopt), 1, Role::client), "close(1005,) ");
}

TEST(Codec, EncodesTheExamplesOfTheRfc) {
  EXPECT_EQ(encode_frame(Opcode::text, "Hello", std::nullopt), "\x81\x05Hello");
  EXPECT_EQ(encode_frame(Opcode::text, "Hello", key), "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
  EXPECT_EQ(encode_frame(Opcode::text, "Hel", std::nullopt, false), "\x01\x03Hel");
  EXPECT_EQ(encode_frame(Opcode::binary, std::string(256, 'x'), std::nullopt).substr(0, 4),
            std::string("\x82\x7e\x01\x00", 4));
  EXPECT_EQ(encode_frame(Opcode::binary, std::string(65536, 'x'), std::nullopt).substr(0, 10),
            std::string("\x82\x7f\0\0\0\0\0\x01\0\0", 10));
  EXPECT_EQ(*make_text_frame("Hello"), "\x81\x05Hello");
}

TEST(Codec, CloseReasonsAreCutBetweenCharacters) {
  const std::string reason = std::string(121, 'a') + "\xc3\xa4\xc3\xa4";
  const std::string frame = encode_close(CloseCode::policy_violation, reason, std::nullopt);
  EXPECT_EQ(frame.size(), 2u + 2 + 123);
  EXPECT_EQ(trace_of(frame, frame.size(), Role::client), "close(1008,<123>) ");
  const std::string shorter = encode_close(CloseCode::normal, "a" + reason, std::nullopt);
  EXPECT_EQ(shorter.size(), 2u + 2 + 122);
  EXPECT_EQ(encode_close(CloseCode::no_status, "unused", std::nullopt), std::string("\x88\0", 2));
}

TEST(Codec, MaskKeysDiffer) {
  int equal = 0;
  for (int i = 0; i < 1000; ++i)
    equal += random_mask_key() == random_mask_key() ? 1 : 0;
  EXPECT_LT(equal, 3);
}

}  // namespace
}  // namespace starling::ws
