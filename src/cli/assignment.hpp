// Purpose: "KEY=VALUE" as a check of the parser, so that a slip is a usage error.
// Owner: values. Thread: one. Lifetime: none.
#pragma once

#include <CLI/CLI.hpp>

namespace starling::cli {

CLI::Validator assignment();

}  // namespace starling::cli
