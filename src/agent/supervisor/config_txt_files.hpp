// Purpose: the config.txt files of the modules in one folder, for ConfigMirror; those of a release stay as
// they were signed. Owner: Agent. Thread: one;
// blocks. Lifetime: outlives ConfigMirror.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "agent/supervisor/config_mirror.hpp"
#include "agent/supervisor/folders/module_folder.hpp"

namespace starling::agent {

class ConfigTxtFiles final : public ConfigFiles {
 public:
  explicit ConfigTxtFiles(std::filesystem::path modules_folder, std::filesystem::path release_modules = {})
      : folder_(std::move(modules_folder)), release_(std::move(release_modules)) {}

  bool holds_module(std::string_view module) const override {
    std::error_code unreadable;
    if (!release_.empty() && std::filesystem::exists(release_ / module, unreadable)) return false;
    return std::filesystem::is_regular_file(folder_ / module / "module.toml", unreadable);
  }
  Result<std::optional<bool>> says(std::string_view module) override {
    return read_enabled(folder_ / module);
  }
  Result<void> write_enabled(std::string_view module, bool enabled) override {
    if (!valid_module_name(module)) return fail(ErrorCode::invalid_argument, "this is no module's name");
    return agent::write_enabled(folder_ / module, enabled);
  }

 private:
  std::filesystem::path folder_, release_;
};

}  // namespace starling::agent
