// What help, docs and messages call the commands is what the commands are called: the tree of the parser, as
// the completion has it, beside every text that names one.
#include <gmock/gmock.h>

#include <cctype>
#include <cstring>
#include <filesystem>
#include <regex>
#include <set>

#include "base/build_folders.hpp"
#include "base/files.hpp"
#include "cli/application_fixture.hpp"

namespace starling::cli {
namespace {

namespace fs = std::filesystem;
using testing::IsSupersetOf;

using Names = std::set<std::string>;
using Matches = std::sregex_iterator;

class CommandNames : public ApplicationTest {
 protected:
  // "device", "device list", ...
  Names commands() {
    const std::string script = run({"completion", "bash"}).out;
    const std::regex branch(R"re(\n    " ([a-z -]+)"\) words=)re");
    Names names;
    for (Matches match(script.begin(), script.end(), branch), end; match != end; ++match)
      names.insert((*match)[1]);
    return names;
  }
  static std::string text_of(const fs::path& file) { return read_file(file, 1u << 20).value_or(""); }
};

TEST_F(CommandNames, HelpNamesThemAll) {
  const Names all = commands();
  ASSERT_THAT(all, IsSupersetOf({"device check-updates", "release upload", "changes wait"}));
  const std::string help = std::regex_replace(run({"--help"}).out, std::regex("\\s+"), " ");
  for (const std::string& command : all) {
    const std::size_t space = command.find(' ');
    if (space == std::string::npos) continue;
    const std::string noun = " " + command.substr(0, space) + " ";
    const std::regex line(noun + "[A-Z][^:]*: ([a-z, -]+)");
    std::smatch listed;
    ASSERT_TRUE(std::regex_search(help, listed, line)) << noun;
    EXPECT_THAT(" " + std::string(listed[1]) + ",",
                testing::ContainsRegex(" " + command.substr(space + 1) + "[ ,]"))
        << command;
  }
}

TEST_F(CommandNames, ThePageAboutThemNamesThemAll) {
  const std::string page = text_of(source_folder() / "docs/cli.md");
  const std::string table = page.substr(page.find("| command | what |"));
  const std::regex row(R"(\n\| ([^|\n]+) \|)");
  const std::regex code("`([a-z-]+)( ([a-z-]+))?[^`]*`");
  Names documented;
  for (Matches match(table.begin(), table.end(), row), end; match != end; ++match) {
    const std::string cell = (*match)[1];
    std::string noun;
    for (Matches span(cell.begin(), cell.end(), code); span != end; ++span) {
      if (noun.empty()) noun = (*span)[1];
      documented.insert(noun);
      documented.insert(noun + " " + std::string((*span)[1] == noun ? (*span)[3] : (*span)[1]));
    }
  }
  EXPECT_THAT(documented, IsSupersetOf(commands()));
}

// "device list" in "starling device list NAME", wherever that stands; "device" in "starling device --help".
std::vector<std::string> named_in(std::string_view text) {
  constexpr std::string_view program = "starling ";
  const auto word = [&text](std::size_t from) {
    const std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", from);
    return text.substr(from, end == std::string_view::npos ? end : end - from);
  };
  std::vector<std::string> named;
  for (std::size_t at = text.find(program); at != std::string_view::npos; at = text.find(program, at + 1)) {
    const char before = at == 0 ? ' ' : text[at - 1];
    if (std::isalnum(static_cast<unsigned char>(before)) != 0 || std::strchr("-./_:", before) != nullptr)
      continue;
    const std::string_view noun = word(at + program.size());
    if (noun.empty() || noun.front() == '-') continue;
    const std::size_t next = at + program.size() + noun.size();
    const std::string_view verb = next < text.size() && text[next] == ' ' ? word(next + 1) : "";
    named.emplace_back(noun);
    if (!verb.empty() && verb.front() != '-') named.back() += " " + std::string(verb);
  }
  return named;
}

TEST_F(CommandNames, MessagesAndDocsNameNoOthers) {
  const Names all = commands();
  std::vector<fs::path> files{source_folder() / "README.md"};
  for (const char* folder : {"src", "docs", "packaging", "examples"}) {
    for (const auto& entry : fs::recursive_directory_iterator(source_folder() / folder)) {
      const bool of_people =
          std::set<std::string>{".cpp", ".hpp", ".md", ".sh"}.contains(entry.path().extension());
      if (of_people && !entry.path().stem().string().ends_with("_test")) files.push_back(entry.path());
    }
  }
  std::size_t count = 0;
  for (const fs::path& file : files) {
    for (const std::string& command : named_in(text_of(file))) {
      ++count;
      const std::string noun = command.substr(0, command.find(' '));
      const auto below = all.upper_bound(noun + " ");
      const bool has_verbs = below != all.end() && below->starts_with(noun + " ");
      EXPECT_TRUE(all.contains(has_verbs ? command : noun)) << file << ": starling " << command;
    }
  }
  EXPECT_GT(count, 100u);
}

}  // namespace
}  // namespace starling::cli
