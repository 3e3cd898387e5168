#include "agent/supervisor/folders/rendered_files.hpp"

#include <algorithm>

#include "base/files.hpp"
#include "base/trimmed.hpp"
#include "protocol/canonical_json.hpp"

namespace starling::agent {
namespace {

constexpr std::string_view opening = "{{";
constexpr std::string_view closing = "}}";
constexpr std::size_t max_rendered_bytes = 1u << 20;

std::string line_of(std::string_view text, std::size_t at) {
  return "line " + std::to_string(1 + std::ranges::count(text.substr(0, at), '\n'));
}

}  // namespace

Result<std::string> render(std::string_view text, const Values& values) {
  std::string rendered;
  std::size_t at = 0;
  for (std::size_t open = text.find(opening); open != std::string_view::npos; open = text.find(opening, at)) {
    rendered.append(text.substr(at, open - at));
    const std::size_t close = text.find(closing, open);
    if (close == std::string_view::npos) {
      return fail(ErrorCode::invalid_argument, line_of(text, open) + ": '{{' is not closed by '}}'");
    }
    const std::string_view key =
        trimmed(text.substr(open + opening.size(), close - open - opening.size()), " \t");
    const auto value = values.find(key);
    if (value == values.end()) {
      return fail(ErrorCode::invalid_argument,
                  line_of(text, open) + ": there is no setting '" + std::string(key) + "' on this device");
    }
    if (value->second.is_string()) {
      rendered.append(value->second.get_string());
    } else {
      protocol::append_canonical_json(rendered, value->second);
    }
    if (rendered.size() > max_rendered_bytes) return fail(ErrorCode::too_large, "the file becomes too large");
    at = close + closing.size();
  }
  rendered.append(text.substr(at));
  return rendered;
}

Result<void> render_files(const ModuleManifest& manifest, const Values& values) {
  for (const RenderedFile& file : manifest.render) {
    const auto text = read_foreign_file(file.template_path, max_template_bytes);
    if (!text) return fail(text, "template " + file.template_path);
    const auto rendered = render(*text, values);
    if (!rendered) return fail(rendered, "template " + file.template_path);
    const auto present = read_foreign_file(file.path, max_rendered_bytes);
    if (present && *present == *rendered) continue;
    if (auto written = write_file_durably(file.path, *rendered); !written) return written;
  }
  return {};
}

}  // namespace starling::agent
