// Purpose: `starling release pack`, and what it shares with commands that publish: the options that say what
// a release is made of, and what a person sees of it before. Owner: the command tree. Thread: one. Lifetime:
// one run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "release/pack.hpp"

namespace CLI {
class App;
}

namespace starling::cli {

// VERSION DESCRIPTION FOLDER, --type, --packages, --architecture, --bump.
class ReleaseSource {
 public:
  void add_to(CLI::App& app);

  // With --bump the version that is counted up is the one in FOLDER/VERSION, and VERSION is not given.
  bool bumps() const { return !bump_.empty(); }
  Result<protocol::ReleaseMetadata> metadata() const;
  const std::string& folder() const { return words_.back(); }

 private:
  Result<protocol::Version> version() const;

  std::vector<std::string> words_;
  std::string type_ = "scheduled", architecture_, bump_;
  std::vector<std::string> packages_;
};

// "1.2 MiB".
std::string byte_size(std::uint64_t bytes);
std::string release_text(const release::Summary& summary, const std::vector<std::string>& left_out,
                         const Terminal& terminal);
JsonObject release_json(const release::Summary& summary);

void add_release_pack_command(CommandTree& tree, CLI::App& noun);

}  // namespace starling::cli
