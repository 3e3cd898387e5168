#include "agent/components.hpp"

#include <utility>

#include "base/json_folder.hpp"
#include "base/printable_text.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

Result<void> add(protocol::Catalog& catalog, const fs::path& path) {
  const auto file = read_json_file(path);
  if (!file) return fail(file);
  const auto one = protocol::catalog_of(std::span(&*file, 1));
  if (!one) return fail(one);
  auto put = catalog.put(one->components().begin()->second);
  if (!put) return fail(put, file->path);
  return put;
}

}  // namespace

Result<Components> read_components(const fs::path& shipped, const fs::path& state) {
  const auto files = read_json_folders({shipped});
  if (!files) return fail(files, "component files");
  auto catalog = protocol::catalog_of(*files);
  if (!catalog) return fail(catalog);
  Components components{std::move(*catalog), {}};
  const auto leave_out = [&components](const Error& why) {
    components.left_out.push_back(printable_text(why.message, Components::max_text_bytes));
  };
  const auto own = json_files_in(state / "components");
  if (!own && own.error().code != ErrorCode::not_found) leave_out(own.error());
  for (const fs::path& path : own.value_or(std::vector<fs::path>())) {
    if (const auto added = add(components.catalog, path); !added) leave_out(added.error());
  }
  return components;
}

}  // namespace starling::agent
