// Purpose: the component files of this device: those that ship with the agent, and its own in
// STATE/components. Owner: none. Thread: any; blocking. Lifetime: none.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "protocol/component.hpp"

namespace starling::agent {

struct Components {
  static constexpr std::size_t max_text_bytes = 512;
  protocol::Catalog catalog;
  std::vector<std::string> left_out;  // of its own files: which, and why
};

// Its own add to the shipped ones, or replace them, and need not be there. One that cannot be used is left
// out: modules must not stand still for it where nobody is. Errors: of the shipped ones, those of
// read_json_folders and catalog_of.
Result<Components> read_components(const std::filesystem::path& shipped, const std::filesystem::path& state);

}  // namespace starling::agent
