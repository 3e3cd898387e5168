#include "protocol/tuf/target_search.hpp"

#include <gtest/gtest.h>

#include <map>

#include "protocol/tuf/test_repository.hpp"

namespace starling::protocol::tuf {
namespace {

TEST(TargetPath, LeadsNowhereElse) {
  for (const char* good : {"a", "a/b.c", "..a", "a..", ".a/b", "a b/\xc3\xa9", "%2e%2e/x", "a?b#c"}) {
    EXPECT_TRUE(check_target_path(good)) << good;
  }
  const std::string long_path(1025, 'a');
  for (const std::string& bad :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"), std::string(".."),
        std::string("."), std::string("../a"), std::string("a/../b"), std::string("a/.."),
        std::string("a/./b"), std::string("a\\..\\b"), std::string("a\0b", 3), std::string("a\nb"),
        std::string("a\x7f"), long_path}) {
    const auto checked = check_target_path(bad);
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().code, ErrorCode::invalid_argument) << bad;
  }
}

TEST(PathPattern, MatchesWithinOnePart) {
  struct Case {
    const char *pattern, *path;
    bool matches;
  };
  const Case cases[] = {
      {"targets/*.tgz", "targets/foo.tgz", true},
      {"targets/*.tgz", "targets/foo.txt", false},
      {"foo-version-?.tgz", "foo-version-2.tgz", true},
      {"foo-version-?.tgz", "foo-version-alpha.tgz", false},
      {"*.tgz", "foo.tgz", true},
      {"*.tgz", "targets/foo.tgz", false},
      {"foo.tgz", "foo.tgz", true},
      {"foo.tgz", "FOO.TGZ", false},
      {"*", "", true},
      {"", "", true},
      {"", "a", false},
      {"*", "a/b", false},
      {"*/*", "a/b", true},
      {"*/b", "a/c/b", false},
      {"?", "/", false},
      {"?", "\xc3\xa9", true},  // a character, not a byte
      {"a*b*c", "a-b-b-c", true},
      {"a*b*c", "a-b-b-d", false},
      {"a**c", "abc", true},
      {"*a", "aaa", true},
      {"[ab]", "a", false},  // only '*' and '?' are special
      {"[ab]", "[ab]", true},
      {"a*", "a.part/b", false},
  };
  for (const Case& one : cases)
    EXPECT_EQ(matches_pattern(one.pattern, one.path), one.matches) << one.pattern << " " << one.path;
  EXPECT_FALSE(matches_pattern("*a*a*a*a*a*a*a*a*a*a*a*b", std::string(1000, 'a')));  // and it ends
}

TEST(Delegation, IsByPatternOrByHash) {
  DelegatedRole role;
  EXPECT_FALSE(is_delegated(role, "a"));
  role.path_hash_prefixes = {"00", sha256("a").hex().substr(0, 3)};
  EXPECT_TRUE(is_delegated(role, "a"));
  EXPECT_FALSE(is_delegated(role, "b"));
  role.path_hash_prefixes = {};
  role.paths = {"x", "b*"};
  EXPECT_TRUE(is_delegated(role, "bc"));
}

TEST(Delegation, BinsAreNamedByTheFirstBits) {
  const std::string hash = sha256("some/target").hex();
  for (const int bits : {4, 8, 16, 32}) {
    const SuccinctRoles bins{.signers = {}, .bit_length = bits, .name_prefix = "bin"};
    EXPECT_EQ(bin_name(bins, "some/target"), "bin-" + hash.substr(0, static_cast<std::size_t>(bits) / 4));
  }
  const SuccinctRoles two{.signers = {}, .bit_length = 1, .name_prefix = "bin"};
  EXPECT_EQ(bin_name(two, "some/target"), hash[0] < '8' ? "bin-0" : "bin-1");
  const SuccinctRoles many{.signers = {}, .bit_length = 9, .name_prefix = "bin"};
  EXPECT_EQ(bin_name(many, "some/target").size(), std::string("bin-000").size());
}

TEST(TargetSearch, AsksOneBin) {
  Targets targets;
  targets.delegations.succinct_roles = SuccinctRoles{.signers = {}, .bit_length = 8, .name_prefix = "bin"};
  targets.delegations.succinct_roles->signers.threshold = 2;
  TargetSearch search = TargetSearch::of("some/target").value();
  EXPECT_FALSE(search.enter(std::move(targets)));
  const auto visit = search.next();
  ASSERT_TRUE(visit);
  EXPECT_EQ(visit->role, "bin-" + sha256("some/target").hex().substr(0, 2));
  EXPECT_EQ(visit->signers->threshold, 2);
  EXPECT_FALSE(search.next());
}

// A graph as each role's delegations; "!" behind a name: terminating. Only "targets" may be visited first.
using Graph = std::map<std::string, std::vector<std::string>>;

Targets targets_of(const Graph& graph, const std::string& role) {
  Targets targets;
  const auto found = graph.find(role);
  if (found == graph.end()) return targets;
  for (std::string name : found->second) {
    DelegatedRole& child = targets.delegations.roles.emplace_back();
    child.terminating = name.ends_with('!');
    if (child.terminating) name.pop_back();
    child.name = name;
    child.paths = {"*"};
  }
  return targets;
}

std::string visited(const Graph& graph, const std::string& holder = "") {
  TargetSearch search = TargetSearch::of("target").value();
  std::string order;
  std::string role = "targets";
  for (;;) {
    Targets targets = targets_of(graph, role);
    if (role == holder) targets.targets["target"].length = 1;
    if (search.enter(std::move(targets))) return order + "found";
    const auto next = search.next();
    if (!next) return order + (next.error().message.starts_with("no target") ? "end" : "too many");
    role = next->role;
    order += role + " ";
  }
}

TEST(TargetSearch, IsInPreOrderAndEnds) {
  EXPECT_EQ(visited({}), "end");
  EXPECT_EQ(visited({}, "targets"), "found");
  EXPECT_EQ(visited({{"targets", {"A", "B"}}, {"A", {"C", "D"}}}), "A C D B end");
  EXPECT_EQ(visited({{"targets", {"A", "B"}}, {"A", {"C"}}, {"C", {"D"}}}, "B"), "A C D B found");
  EXPECT_EQ(visited({{"targets", {"A", "B"}}, {"A", {"C!", "D"}}, {"C", {"E"}}}), "A C E end");
  EXPECT_EQ(visited({{"targets", {"A", "B"}}, {"B", {"C"}}, {"C", {"A", "B", "D"}}, {"D", {"B"}}}),
            "A B C D end");
  EXPECT_EQ(visited({{"targets", {"A", "B"}}, {"A", {"C"}}, {"B", {"C"}}}), "A C B end");
  EXPECT_EQ(visited({{"targets", {"A"}}, {"A", {"A"}}}), "A end");
}

TEST(TargetSearch, AsksSoManyRolesAndNoMore) {
  Graph chain;
  for (int i = 0; i < 40; ++i)
    chain[i == 0 ? "targets" : std::to_string(i)] = {std::to_string(i + 1)};
  EXPECT_TRUE(visited(chain).ends_with("30 31 too many"));
  EXPECT_TRUE(visited(chain, "31").ends_with("found"));
  EXPECT_TRUE(visited(chain, "32").ends_with("too many"));
}

TEST(TargetSearch, RefusesPathsThatLeadElsewhere) {
  EXPECT_EQ(TargetSearch::of("../../etc/passwd").error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace starling::protocol::tuf
