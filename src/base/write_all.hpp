// Purpose: writing all of something to an open file. Owner: none. Thread: any; blocking. Lifetime: none.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace starling {

// `path`: what the file is called, for the message. Errors: io, corrupted (the medium).
Result<void> write_all(const FileDescriptor& file, std::string_view bytes, const std::filesystem::path& path);

}  // namespace starling
