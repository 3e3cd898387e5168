#include "e2e/keeper_fixture.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <system_error>

namespace starling::e2e {

Gate::Gate(std::filesystem::path path) : path_(std::move(path)) {
  if (::mkfifo(path_.c_str(), 0600) != 0)
    throw std::system_error(errno, std::generic_category(), path_.string());
}

void Gate::open() const {
  std::ofstream(path_) << "go\n";
}

}  // namespace starling::e2e
