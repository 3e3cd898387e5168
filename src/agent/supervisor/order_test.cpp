#include "agent/supervisor/order.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace starling::agent {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::UnorderedElementsAre;

ModuleManifest named(std::string name, std::vector<std::string> after,
                     std::vector<std::string> requirements = {}) {
  ModuleManifest manifest;
  manifest.name = std::move(name);
  manifest.after = std::move(after);
  manifest.requirements = std::move(requirements);
  return manifest;
}

ModuleOrder order_of(const std::vector<ModuleManifest>& manifests) {
  std::vector<const ModuleManifest*> pointers;
  for (const ModuleManifest& manifest : manifests)
    pointers.push_back(&manifest);
  return order_modules(pointers);
}

std::ptrdiff_t place(const ModuleOrder& order, std::string_view name) {
  return std::ranges::find(order.sequence, name) - order.sequence.begin();
}

TEST(Order, PutsModulesAfterWhatTheyName) {
  const ModuleOrder order =
      order_of({named("a", {"c"}), named("b", {}, {"a"}), named("c", {"gone"}), named("d", {"b", "c"})});
  EXPECT_THAT(order.refused, IsEmpty());
  EXPECT_EQ(order.sequence.size(), 4u);
  EXPECT_LT(place(order, "c"), place(order, "a"));
  EXPECT_LT(place(order, "a"), place(order, "b"));
  EXPECT_LT(place(order, "b"), place(order, "d"));
}

TEST(Order, NamesTheCycle) {
  const ModuleOrder order =
      order_of({named("a", {"b"}), named("b", {}, {"c"}), named("c", {"a"}), named("d", {"a"})});
  EXPECT_THAT(order.refused, UnorderedElementsAre(Key("a"), Key("b"), Key("c")));
  EXPECT_THAT(order.refused.at("b"), HasSubstr("a -> b -> c -> a"));
}

TEST(Order, AModuleAfterItselfIsACycle) {
  EXPECT_THAT(order_of({named("a", {"a"})}).refused.at("a"), HasSubstr("a -> a"));
}

}  // namespace
}  // namespace starling::agent
