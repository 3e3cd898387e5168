#include "agent/supervisor/folders/rendered_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/files.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const Values values{{"audio.device", "hw:1"},
                    {"audio.rate", 16000},
                    {"hotword.models", JsonArray{"a", "b"}},
                    {"hotword.threshold", 0.5}};

TEST(Templates, PutSettingsInTheirPlaces) {
  EXPECT_EQ(render("device {{audio.device}}\nrate={{ audio.rate }}\n", values).value(),
            "device hw:1\nrate=16000\n");
  EXPECT_EQ(render("{{hotword.threshold}}", values).value(), "0.5");
  EXPECT_EQ(render("models: {{hotword.models}}", values).value(), R"(models: ["a","b"])");
  EXPECT_EQ(render("a { b } {c}", values).value(), "a { b } {c}");
  EXPECT_EQ(render("", values).value(), "");
}

TEST(Templates, NameTheLineThatIsWrong) {
  EXPECT_THAT(render("a\nb {{audio.colour}}", values).error().message,
              testing::AllOf(HasSubstr("line 2"), HasSubstr("'audio.colour'")));
  EXPECT_THAT(render("a {{audio.rate", values).error().message, HasSubstr("not closed"));
  EXPECT_FALSE(render("{{}}", values));
}

TEST(Templates, AreFilesOfAManifest) {
  const fs::path folder = fs::temp_directory_path() / ("starling-render-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  ModuleManifest manifest;
  manifest.render = {{(folder / "x.in").string(), (folder / "x.conf").string()}};
  EXPECT_THAT(render_files(manifest, values).error().message, HasSubstr("x.in"));
  std::ofstream(folder / "x.in") << "rate {{audio.rate}}\n";
  ASSERT_TRUE(render_files(manifest, values));
  EXPECT_EQ(read_file(folder / "x.conf", 100).value(), "rate 16000\n");
  const auto written = fs::last_write_time(folder / "x.conf");
  ASSERT_TRUE(render_files(manifest, values));
  EXPECT_EQ(fs::last_write_time(folder / "x.conf"), written) << "the same is not written again";
  fs::remove_all(folder);
}

}  // namespace
}  // namespace starling::agent
