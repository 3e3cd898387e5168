// Purpose: tells somebody what is wrong with a command line, what was probably meant by a mistyped command,
// and where help is. Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace starling {

// Of an error that is one: neither --help nor --version. `root` has parsed.
std::string usage_error(const CLI::ParseError& error, const CLI::App& root);

}  // namespace starling
