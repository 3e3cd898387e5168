#include "agent/update/python_environment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "release/requirements.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_program_bytes = 1u << 20;  // those with a path in them are scripts

bool has_wheels(const std::vector<std::string>& names) {
  return std::ranges::any_of(names, [](const std::string& name) {
    return release::is_wheel(fmt::format("{}/{}", release::wheels_path, name));
  });
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

}  // namespace

Result<std::optional<EnvironmentWish>> environment_wanted(Disk& disk, const std::string& folder) {
  EnvironmentWish wish{fmt::format("{}/{}", folder, environment_name),
                       fmt::format("{}/{}", folder, release::requirements_path),
                       fmt::format("{}/{}", folder, release::wheels_path)};
  const auto wheels = disk.list(wish.wheels);
  const auto text = disk.read_file(wish.requirements, release::max_requirements_bytes);
  for (const ErrorCode code :
       {wheels ? ErrorCode::internal : wheels.error().code, text ? ErrorCode::internal : text.error().code}) {
    if (code == ErrorCode::not_found) return std::nullopt;
  }
  if (!wheels) return fail(wheels);
  if (!text) return fail(text);
  if (!has_wheels(*wheels)) return std::nullopt;
  if (auto good = release::check_requirements(*text); !good) return fail(good);
  return wish;
}

Result<void> move_environment(Disk& disk, const std::string& from, const std::string& to) {
  const std::string programs = from + "/bin";
  const auto names = disk.list(programs);
  if (!names) return fail(names);
  for (const std::string& name : *names) {
    const std::string path = fmt::format("{}/{}", programs, name);
    const auto status = disk.status(path);
    if (!status) return fail(status);
    if (status->kind != Disk::Status::Kind::file || status->size > max_program_bytes) continue;
    const auto text = disk.read_file(path, max_program_bytes);
    if (!text) return fail(text);
    if (text->find(from) == std::string::npos) continue;
    if (auto put = disk.write_file(path, replaced(*text, from, to), status->mode); !put) return put;
  }
  return {};
}

}  // namespace starling::agent
