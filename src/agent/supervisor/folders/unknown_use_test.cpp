#include "agent/supervisor/folders/unknown_use.hpp"

#include <gmock/gmock.h>

#include "agent/settings_bench.hpp"

namespace starling::agent {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::string unknown_of(std::vector<std::string> uses) {
  static const protocol::Catalog catalog = test_catalog();
  ModuleManifest manifest;
  manifest.uses = std::move(uses);
  return unknown_use(manifest, catalog);
}

TEST(UnknownUse, NamesWhatNoComponentHas) {
  EXPECT_THAT(unknown_of({}), IsEmpty());
  EXPECT_THAT(unknown_of({"hotword", "logger.level", "persona", "persona.active"}), IsEmpty());
  EXPECT_THAT(unknown_of({"hotword", "hotwrd"}), HasSubstr("'hotwrd', but no component"));
  EXPECT_THAT(unknown_of({"hotwrd"}), HasSubstr("did you mean hotword?"));
  EXPECT_THAT(unknown_of({"logger.levle"}), HasSubstr("did you mean logger.level?"));
  EXPECT_THAT(unknown_of({"LOG_LEVEL"}), HasSubstr("'LOG_LEVEL'")) << "modules are told of keys";
}

}  // namespace
}  // namespace starling::agent
