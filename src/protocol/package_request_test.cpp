#include "protocol/package_request.hpp"

#include <gtest/gtest.h>

namespace starling::protocol {
namespace {

TEST(PackageRequest, IsReadAsItWasWritten) {
  for (const PackageAction action :
       {PackageAction::fetch, PackageAction::install, PackageAction::go_back, PackageAction::keep}) {
    const PackageRequest request{action, sha256("a release"), {"libopus0", "ear=1:1.0-1~x"}, 3};
    EXPECT_EQ(parse_package_request(text_of(request)).value(), request);
  }
}

TEST(PackageRequest, WhatItMayNotSayIsRefused) {
  const std::string release = sha256("a release").hex();
  const auto with = [&](const std::string& packages, const std::string& more = "") {
    return R"({"action": "fetch", "release": ")" + release + R"(", "attempt": 1, "packages": )" + packages +
           more + "}";
  };
  EXPECT_TRUE(parse_package_request(with(R"(["ear"])")));
  std::string many = "[";
  for (int i = 0; i < 257; ++i)
    many += R"("ear",)";
  many.back() = ']';
  for (const std::string& text : std::vector<std::string>{
           "", "[]", "{}", with(R"(["-oDir=/"])"), with(R"(["ear-"])"), with(R"(["../ear.deb"])"),
           with(R"(["ear=1 2"])"), with(R"([1])"), with(R"("ear")"), with(many),
           with(R"(["ear"])", R"(, "command": "reboot")"),
           R"({"action": "remove", "release": ")" + release + R"(", "attempt": 1, "packages": []})",
           R"({"action": "install", "release": "", "attempt": 1, "packages": []})",
           R"({"action": "install", "release": "../..", "attempt": 1, "packages": []})"}) {
    EXPECT_FALSE(parse_package_request(text)) << text;
  }
}

TEST(PackageAnswer, IsReadAsItWasWritten) {
  for (int outcome = 0; outcome < 6; ++outcome) {
    const PackageAnswer answer{sha256("a request"), static_cast<PackageOutcome>(outcome), "why", {"ear=1.0"}};
    EXPECT_EQ(parse_package_answer(text_of(answer)).value(), answer);
  }
  PackageAnswer long_winded{sha256("a request"), PackageOutcome::hindered, std::string(10'000, 'x'), {}};
  long_winded.without_way_back.assign(1000, "ear=v1_odd");
  EXPECT_TRUE(parse_package_answer(text_of(long_winded)));
}

}  // namespace
}  // namespace starling::protocol
