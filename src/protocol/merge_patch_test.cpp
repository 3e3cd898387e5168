#include "protocol/merge_patch.hpp"

#include <gtest/gtest.h>

#include "protocol/canonical_json.hpp"
#include "protocol/parsed_json.hpp"

namespace starling::protocol {
namespace {

struct Example {
  const char* original;
  const char* patch;
  const char* result;
};

// RFC 7396 appendix A, without the rows whose result has a null member.
constexpr Example examples[] = {
    {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
    {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
    {R"({"a":"b"})", R"({"a":null})", R"({})"},
    {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
    {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
    {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
    {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
    {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
    {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
    {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
    {R"({"a":"foo"})", "null", "null"},
    {R"({"a":"foo"})", R"("bar")", R"("bar")"},
    {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
    {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
};

TEST(MergePatch, AppliesLikeTheRfc) {
  for (const Example& example : examples) {
    Json target = parsed(example.original);
    apply_merge_patch(target, parsed(example.patch));
    EXPECT_EQ(target, parsed(example.result)) << example.original << " with " << example.patch;
  }
}

TEST(MergePatch, MadePatchTurnsOneIntoTheOther) {
  const char* values[] = {R"({})",
                          R"({"a":1})",
                          R"({"a":{}})",
                          R"({"a":{"b":1,"c":[1,2]}})",
                          R"({"a":{"b":2},"d":"x"})",
                          R"({"a":[{"b":1}],"d":{"e":{"f":true}}})",
                          R"({"d":{"e":{}}})",
                          R"({"x.y":0.5,"x.z":["a"]})",
                          R"([1])",
                          R"("text")"};
  for (const char* from : values) {
    for (const char* to : values) {
      Json target = parsed(from);
      apply_merge_patch(target, make_merge_patch(parsed(from), parsed(to)));
      EXPECT_EQ(canonical_json(target), canonical_json(parsed(to))) << "from " << from;
    }
  }
}

TEST(MergePatch, HoldsOnlyWhatDiffers) {
  EXPECT_EQ(make_merge_patch(parsed(R"({"a":1,"b":{"c":2,"d":3},"e":[1]})"),
                             parsed(R"({"a":1,"b":{"c":2,"d":4},"f":5})")),
            parsed(R"({"b":{"d":4},"e":null,"f":5})"));
  EXPECT_EQ(make_merge_patch(parsed(R"({"a":1})"), parsed(R"({"a":1})")), parsed("{}"));
}

}  // namespace
}  // namespace starling::protocol
