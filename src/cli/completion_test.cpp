#include "cli/completion.hpp"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

namespace starling::cli {
namespace {

// A small tree with everything that the generator has to know.
class CompletionTest : public testing::Test {
 protected:
  CompletionTest() : root_("Sample", "starling") {
    root_.fallthrough();
    root_.set_help_flag("-h,--help", "Say what it does");
    root_.add_option("-o,--output", text_, "How to print")->check(CLI::IsMember({"table", "json"}));
    root_.add_option("--hub", text_, "Address");
    CLI::App& device = *root_.add_subcommand("device", "It's about devices");
    CLI::App& list = *device.add_subcommand("list", "List: all");
    list.add_flag("--watch", flag_, "Go on");
    list.add_option("--on", text_, "Which");
    device.add_subcommand("show", "Show one")->add_option("DEVICE", text_, "Which");
    root_.add_subcommand("changes", "The log");
  }

  const CompletionNode& node(const std::vector<CompletionNode>& nodes, std::string_view path) {
    return *std::find_if(nodes.begin(), nodes.end(),
                         [path](const CompletionNode& n) { return n.path == path; });
  }

  // What bash would offer after these words; the last one is being typed.
  std::string offered(const std::string& words, int last) {
    const auto file =
        std::filesystem::temp_directory_path() / ("starling_completion_" + std::to_string(getpid()));
    std::ofstream(file) << completion_script(Shell::bash, root_) << "COMP_WORDS=(" << words
                        << ")\nCOMP_CWORD=" << last << "\n_starling\necho \"${COMPREPLY[*]}\"\n";
    const std::string command = "bash " + file.string();
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    std::array<char, 4096> line{};
    std::string out;
    while (fgets(line.data(), line.size(), pipe.get()) != nullptr)
      out += line.data();
    std::filesystem::remove(file);
    return out;
  }

  CLI::App root_;
  std::string text_;
  bool flag_ = false;
};

TEST_F(CompletionTest, KnowsTheWholeTree) {
  const auto nodes = completion_nodes(root_);
  std::vector<std::string> paths;
  for (const auto& n : nodes)
    paths.push_back(n.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"", "device", "device list", "device show", "changes"}));
  EXPECT_EQ(node(nodes, "device").commands, (std::vector<std::string>{"device list", "device show"}));

  std::string options;
  for (const auto& option : node(nodes, "device list").options) {
    options += option.names.back() + (option.takes_value ? "= " : " ");
    if (option.names.back() == "--output") {
      EXPECT_EQ(option.choices, (std::vector<std::string>{"table", "json"}));
    }
  }
  EXPECT_EQ(options, "--help --watch --on= --output= --hub= ");
}

TEST_F(CompletionTest, BashOffersWhatFits) {
  const struct {
    std::string words;
    int last;
    std::string_view offered;
  } cases[] = {
      {"starling ''", 1, "device changes -h --help -o --output --hub\n"},
      {"starling de", 1, "device\n"},
      {"starling device ''", 2, "list show -h --help -o --output --hub\n"},
      {"starling device s", 2, "show\n"},
      {"starling device list --w", 3, "--watch\n"},
      {"starling device list -o ''", 4, "table json\n"},
      {"starling device list -o j", 4, "json\n"},
      {"starling -o json device li", 4, "list\n"},
      {"starling device show ''", 3, "\n"},  // a device's name: nothing to offer
  };
  for (const auto& c : cases)
    EXPECT_EQ(offered(c.words, c.last), c.offered) << c.words;
}

TEST_F(CompletionTest, ZshAndFishQuoteDescriptions) {
  const std::string zsh = completion_script(Shell::zsh, root_);
  EXPECT_TRUE(zsh.starts_with("#compdef starling\n"));
  EXPECT_NE(zsh.find("'device:It'\\''s about devices'"), std::string::npos) << zsh;
  EXPECT_NE(zsh.find("(\" device list -o\"|\" device list --output\") compadd -- table json"),
            std::string::npos);

  const std::string fish = completion_script(Shell::fish, root_);
  EXPECT_NE(fish.find("-a device -d 'It'\\''s about devices'"), std::string::npos) << fish;
  EXPECT_NE(fish.find("'__fish_seen_subcommand_from device; and __fish_seen_subcommand_from list' -l watch"),
            std::string::npos)
      << fish;
}

}  // namespace
}  // namespace starling::cli
