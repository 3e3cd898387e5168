#include "agent/supervisor/folders/manifest_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <span>

#include "agent/supervisor/folders/manifest_values.hpp"
#include "agent/supervisor/folders/toml_field.hpp"
#include "agent/supervisor/folders/toml_screen.hpp"
#include "base/nearest_name.hpp"
#include "base/printable_text.hpp"

// The parser asserts, or lets the compiler assume, what broken input does not hold to ("[[[{"), and then
// reports the error all the same: neither is wanted.
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace starling::agent {
namespace {

constexpr std::size_t max_entries = 128;
constexpr std::size_t max_string_bytes = 4096;
constexpr Milliseconds longest_prepare{10'000};
constexpr Milliseconds longest_stop_timeout{300'000};

template <typename Value>
struct Choice {
  std::string_view name;
  Value value;
};

bool plausible_setting(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= 200 && std::ranges::all_of(name, plain) && name.front() != '.' &&
         name.back() != '.';
}

bool is_environment_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= 200 && std::ranges::all_of(name, plain) &&
         !(name.front() >= '0' && name.front() <= '9');
}

// What the keeper and the process tree set themselves.
bool reserved_environment(std::string_view name) {
  return name == "NOTIFY_SOCKET" || name == "WATCHDOG_USEC" || name == "WATCHDOG_PID" ||
         name.starts_with("STARLING_");
}

class ManifestReader {
 public:
  ManifestReader(std::string_view name, std::string_view folder, const AccountLookup& accounts)
      : accounts_(accounts) {
    manifest_.name = name;
    manifest_.folder = folder;
    manifest_.working_folder = folder;
  }

  Result<ModuleManifest> read(const toml::table& table) {
    for (const auto& read_part : {&ManifestReader::read_top, &ManifestReader::check_whole}) {
      if (Result<void> done = (this->*read_part)(table); !done) return fail(done);
    }
    return std::move(manifest_);
  }

 private:
  using Node = toml::node;
  struct Field {
    std::string_view name;
    Result<void> (ManifestReader::*read)(const Node& node);
  };
  static const Field top_fields[20];
  static const Field limit_fields[6];
  static const Field render_fields[2];

  // ---- errors
  std::unexpected<Error> wrong(const Node* node, std::string_view what) const {
    const auto line = node == nullptr ? 0 : node->source().begin.line;
    std::string where = manifest_.name + "/module.toml";
    if (line != 0) where += fmt::format(":{}", line);
    return fail(ErrorCode::invalid_argument, fmt::format("{}: {}: {}", where, path_, what), pointer());
  }
  std::string pointer() const {
    std::string pointer = "/" + path_;
    std::ranges::replace(pointer, '.', '/');
    return pointer;
  }

  // ---- values
  Result<void> each_field(const toml::table& table, std::span<const Field> fields) {
    const std::string above = path_;
    for (const auto& [key, node] : table) {
      const std::string_view name = key.str();
      path_ = above + (above.empty() ? "" : ".") + printable_text(name, 64);
      const auto field = std::ranges::find(fields, name, &Field::name);
      if (field == fields.end()) {
        NearestName nearest(name);
        for (const Field& known : fields)
          nearest.consider(known.name);
        return wrong(&node, "no field is called so" + nearest.hint());
      }
      if (Result<void> done = (this->*field->read)(node); !done) return done;
    }
    path_ = above;
    return {};
  }

  Result<std::string> text(const Node& node) const {
    const auto* value = node.as_string();
    if (value == nullptr)
      return wrong(&node, node.is_value() ? "must be a string: put it in quotes" : "must be a string");
    const std::string& content = value->get();
    if (content.size() > max_string_bytes)
      return wrong(&node, fmt::format("is longer than {} bytes", max_string_bytes));
    if (content.find('\0') != std::string::npos) return wrong(&node, "has a zero byte in it");
    return content;
  }

  Result<std::string> path(const Node& node) const {
    const auto value = text(node);
    if (!value) return fail(value);
    if (value->empty()) return wrong(&node, "must not be empty");
    return (std::filesystem::path(manifest_.folder) / *value).lexically_normal().string();
  }

  template <typename Parsed>
  Result<Parsed> parsed(const Node& node, Result<Parsed> (*parse)(std::string_view)) const {
    const auto value = text(node);
    if (!value) return fail(value);
    auto result = parse(*value);
    if (!result) return wrong(&node, result.error().message);
    return result;
  }

  Result<Milliseconds> duration(const Node& node, Milliseconds shortest, Milliseconds longest) const {
    const auto value = parsed<Milliseconds>(node, parse_duration);
    if (!value) return fail(value);
    if (*value < shortest || *value > longest) {
      return wrong(&node,
                   fmt::format("must be from {} ms to {} s", shortest.count(), longest.count() / 1000));
    }
    return *value;
  }

  Result<std::int64_t> integer(const Node& node, std::int64_t low, std::int64_t high) const {
    const auto* value = node.as_integer();
    if (value == nullptr || value->get() < low || value->get() > high)
      return wrong(&node, fmt::format("must be a whole number from {} to {}", low, high));
    return value->get();
  }

  template <typename Value, std::size_t count>
  Result<Value> choice(const Node& node, const Choice<Value> (&choices)[count]) const {
    const auto value = text(node);
    if (!value) return fail(value);
    std::string names;
    NearestName nearest(*value);
    for (const auto& known : choices) {
      if (known.name == *value) return known.value;
      nearest.consider(known.name);
      names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", known.name);
    }
    return wrong(&node,
                 fmt::format("'{}' is none of {}{}", printable_text(*value, 64), names, nearest.hint()));
  }

  Result<std::vector<std::string>> texts(const Node& node) const {
    const auto* array = node.as_array();
    if (array == nullptr) return wrong(&node, "must be an array of strings");
    if (array->size() > max_entries)
      return wrong(&node, fmt::format("has more than {} entries", max_entries));
    std::vector<std::string> all;
    for (const auto& entry : *array) {
      auto value = text(entry);
      if (!value) return fail(value);
      all.push_back(*std::move(value));
    }
    return all;
  }

  Result<std::vector<std::string>> modules(const Node& node) const {
    auto names = texts(node);
    if (!names) return names;
    for (const std::string& name : *names) {
      if (!valid_module_name(name))
        return wrong(&node, fmt::format("'{}' cannot be a module's name", printable_text(name, 64)));
      if (name == manifest_.name) return wrong(&node, "a module cannot wait for itself");
    }
    return names;
  }

  // Puts a value where it belongs, or passes its error on.
  template <typename Target, typename Value>
  static Result<void> put(Target& target, Result<Value> value) {
    if (!value) return fail(value);
    target = *std::move(value);
    return {};
  }

  // ---- fields
  Result<void> exec(const Node& node) { return put(manifest_.exec, path(node)); }
  Result<void> args(const Node& node) { return put(manifest_.args, texts(node)); }
  Result<void> cwd(const Node& node) { return put(manifest_.working_folder, path(node)); }
  Result<void> environment(const Node& node);
  Result<void> readiness(const Node& node);
  Result<void> ready_after(const Node& node) {
    return put(manifest_.ready_after, duration(node, Milliseconds(0), longest_start_timeout));
  }
  Result<void> start_timeout(const Node& node) {
    return put(manifest_.start_timeout, duration(node, Milliseconds(1), longest_start_timeout));
  }
  Result<void> stop_timeout(const Node& node) {
    return put(manifest_.stop_timeout, duration(node, Milliseconds(1), longest_stop_timeout));
  }
  Result<void> stop_signal(const Node& node) {
    return put(manifest_.stop_signal, parsed<int>(node, parse_signal));
  }
  Result<void> watchdog(const Node& node) {
    return put(manifest_.watchdog, duration(node, Milliseconds(0), std::chrono::hours(24)));
  }
  Result<void> retry(const Node& node) {
    static constexpr Choice<Retry> choices[] = {
        {"always", Retry::always}, {"on-failure", Retry::on_failure}, {"never", Retry::never}};
    return put(manifest_.retry, choice(node, choices));
  }
  Result<void> after(const Node& node) { return put(manifest_.after, modules(node)); }
  Result<void> requirements(const Node& node) { return put(manifest_.requirements, modules(node)); }
  Result<void> uses(const Node& node);
  Result<void> on_change(const Node& node) {
    static constexpr Choice<OnChange> choices[] = {
        {"notify", OnChange::notify}, {"signal", OnChange::signal}, {"restart", OnChange::restart}};
    return put(manifest_.on_change, choice(node, choices));
  }
  Result<void> change_signal(const Node& node) {
    return put(manifest_.change_signal, parsed<int>(node, parse_signal));
  }
  Result<void> prepare_timeout(const Node& node) {
    return put(manifest_.prepare_timeout, duration(node, Milliseconds(1), longest_prepare));
  }
  Result<void> render(const Node& node);
  Result<void> data(const Node& node);
  Result<void> render_template(const Node& node) {
    return put(manifest_.render.back().template_path, path(node));
  }
  Result<void> render_file(const Node& node) { return put(manifest_.render.back().path, path(node)); }
  Result<void> limits(const Node& node) {
    const auto* table = node.as_table();
    if (table == nullptr) return wrong(&node, "must be a table");
    return each_field(*table, limit_fields);
  }
  Result<void> memory(const Node& node);
  Result<void> cpu(const Node& node) {
    return put(manifest_.limits.cpu_percent, parsed<std::uint32_t>(node, parse_percent));
  }
  Result<void> files(const Node& node) { return put(manifest_.limits.files, integer(node, 8, 1 << 20)); }
  Result<void> nice(const Node& node) { return put(manifest_.limits.nice, integer(node, -20, 19)); }
  Result<void> core(const Node& node) {
    return put(manifest_.limits.core_bytes, parsed<std::uint64_t>(node, parse_byte_size));
  }
  Result<void> user(const Node& node);

  // ---- the whole
  Result<void> read_top(const toml::table& table) { return each_field(table, top_fields); }
  Result<void> check_whole(const toml::table& table);

  const AccountLookup& accounts_;
  ModuleManifest manifest_;
  std::string path_;  // of the field being read: "limits.memory"
};

const ManifestReader::Field ManifestReader::top_fields[] = {
    {"exec", &ManifestReader::exec},
    {"args", &ManifestReader::args},
    {"cwd", &ManifestReader::cwd},
    {"env", &ManifestReader::environment},
    {"readiness", &ManifestReader::readiness},
    {"ready_after", &ManifestReader::ready_after},
    {"start_timeout", &ManifestReader::start_timeout},
    {"stop_timeout", &ManifestReader::stop_timeout},
    {"stop_signal", &ManifestReader::stop_signal},
    {"watchdog", &ManifestReader::watchdog},
    {"retry", &ManifestReader::retry},
    {"after", &ManifestReader::after},
    {"requires", &ManifestReader::requirements},
    {"uses", &ManifestReader::uses},
    {"on_change", &ManifestReader::on_change},
    {"signal", &ManifestReader::change_signal},
    {"prepare_timeout", &ManifestReader::prepare_timeout},
    {"render", &ManifestReader::render},
    {"data", &ManifestReader::data},
    {"limits", &ManifestReader::limits},
};

const ManifestReader::Field ManifestReader::limit_fields[] = {
    {"memory", &ManifestReader::memory}, {"cpu", &ManifestReader::cpu},   {"files", &ManifestReader::files},
    {"nice", &ManifestReader::nice},     {"core", &ManifestReader::core}, {"user", &ManifestReader::user},
};

const ManifestReader::Field ManifestReader::render_fields[] = {
    {"template", &ManifestReader::render_template},
    {"file", &ManifestReader::render_file},
};

Result<void> ManifestReader::environment(const Node& node) {
  const auto* table = node.as_table();
  if (table == nullptr) return wrong(&node, "must be a table of strings");
  if (table->size() > max_entries) return wrong(&node, fmt::format("has more than {} entries", max_entries));
  for (const auto& [key, entry] : *table) {
    const std::string_view name = key.str();
    if (!is_environment_name(name))
      return wrong(&entry, fmt::format("'{}' cannot be a variable's name", printable_text(name, 64)));
    if (reserved_environment(name))
      return wrong(&entry, fmt::format("{} is set by the agent itself", printable_text(name, 64)));
    auto value = text(entry);
    if (!value) return fail(value);
    manifest_.environment.emplace_back(name, *std::move(value));
  }
  return {};
}

Result<void> ManifestReader::readiness(const Node& node) {
  if (const auto* value = node.as_string(); value != nullptr && value->get() == "forking") {
    return wrong(&node,
                 "\"forking\" is not supported: start the program in the foreground (often an option such as "
                 "--foreground or -D) and use \"notify\" or \"exec\"");
  }
  static constexpr Choice<Readiness> choices[] = {
      {"notify", Readiness::notify}, {"module", Readiness::module}, {"exec", Readiness::exec}};
  return put(manifest_.readiness, choice(node, choices));
}

Result<void> ManifestReader::uses(const Node& node) {
  auto names = texts(node);
  if (!names) return fail(names);
  for (const std::string& name : *names) {
    if (!plausible_setting(name)) {
      return wrong(&node, fmt::format("'{}' is neither a component such as \"hotword\" nor a key such as "
                                      "\"audio.volume\"",
                                      printable_text(name, 64)));
    }
  }
  manifest_.uses = *std::move(names);
  return {};
}

Result<void> ManifestReader::render(const Node& node) {
  const auto* array = node.as_array();
  if (array == nullptr) return wrong(&node, "must be an array of tables with template and file");
  if (array->size() > max_entries) return wrong(&node, fmt::format("has more than {} entries", max_entries));
  for (const auto& entry : *array) {
    const auto* table = entry.as_table();
    if (table == nullptr) return wrong(&entry, "must be a table with template and file");
    manifest_.render.emplace_back();
    if (Result<void> done = each_field(*table, render_fields); !done) return done;
    if (manifest_.render.back().template_path.empty()) return wrong(&entry, "template is missing");
    if (manifest_.render.back().path.empty()) return wrong(&entry, "file is missing");
    const std::filesystem::path made = manifest_.render.back().path;
    const bool own = made.parent_path() == std::filesystem::path(manifest_.folder).lexically_normal() &&
                     (made.filename() == "module.toml" || made.filename() == "config.txt");
    if (own || made == manifest_.render.back().template_path)
      return wrong(&entry, fmt::format("file '{}' would overwrite what is the module's", made.string()));
  }
  return {};
}

Result<void> ManifestReader::data(const Node& node) {
  auto names = texts(node);
  if (!names) return fail(names);
  for (const std::string& name : *names) {
    const bool plain = !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
    if (plain && name != "module.toml" && name != "config.txt") continue;
    return wrong(&node, fmt::format("'{}' must be the name of a folder or file in the module's folder",
                                    printable_text(name, 64)));
  }
  manifest_.data = *std::move(names);
  return {};
}

Result<void> ManifestReader::memory(const Node& node) {
  constexpr std::uint64_t least = 256 * 1024;
  const auto bytes = parsed<std::uint64_t>(node, parse_byte_size);
  if (!bytes) return fail(bytes);
  if (*bytes < least) return wrong(&node, "must be at least 256KiB: with less nothing starts");
  manifest_.limits.memory_bytes = *bytes;
  return {};
}

Result<void> ManifestReader::user(const Node& node) {
  const auto name = text(node);
  if (!name) return fail(name);
  auto account = accounts_(*name);
  if (!account) return wrong(&node, account.error().message);
  manifest_.account = *std::move(account);
  return {};
}

Result<void> ManifestReader::check_whole(const toml::table& table) {
  const struct {
    std::string_view field;
    bool wrong;
    std::string_view what;
  } rules[] = {
      {"exec", manifest_.exec.empty(), "is missing: the program to run, for instance \"bin/recorder\""},
      {"ready_after", table.contains("ready_after") && manifest_.readiness != Readiness::exec,
       "has a meaning only with readiness = \"exec\""},
      {"watchdog", manifest_.watchdog > Milliseconds(0) && manifest_.readiness != Readiness::notify,
       "needs readiness = \"notify\": it is WATCHDOG=1 on the notify socket that feeds it"},
      {"signal", table.contains("signal") && manifest_.on_change != OnChange::signal,
       "has a meaning only with on_change = \"signal\""},
      {"ready_after",
       manifest_.readiness == Readiness::exec && manifest_.ready_after > manifest_.start_timeout,
       "is longer than start_timeout: it would never be ready"},
  };
  for (const auto& rule : rules) {
    path_ = rule.field;
    if (rule.wrong) return wrong(table.get(rule.field), rule.what);
  }
  return {};
}

// ":7: exec: ..." What the parser says of text without quotes is about the parser.
std::string not_toml_text(std::string_view text, const toml::parse_error& error) {
  const std::size_t line = error.source().begin.line;
  const TomlField field = field_at(text, line);
  const std::string where =
      fmt::format(":{}: {}{}", line, printable_text(field.name, 64), field.name.empty() ? "" : ": ");
  if (!field.unquoted) return where + printable_text(error.description(), 300);
  if (field.quoted.empty()) return where + "text has to be in quotes, as in [\"one\", \"two\"]";
  return where + "text has to be in quotes: " + printable_text(field.quoted, 300);
}

}  // namespace

Result<ModuleManifest> parse_manifest(std::string_view text, std::string_view name, std::string_view folder,
                                      const AccountLookup& accounts) {
  const std::string file = std::string(name) + "/module.toml";
  if (text.size() > max_manifest_bytes) {
    return fail(ErrorCode::too_large,
                fmt::format("{}: {} bytes; {} are allowed", file, text.size(), max_manifest_bytes));
  }
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  const Result<std::string> ascii = screened_toml(text);
  if (!ascii) return fail(ascii.error().code, file + ascii.error().message);

  const toml::parse_result parsed = toml::parse(*ascii);
  if (!parsed) return fail(ErrorCode::invalid_argument, file + not_toml_text(*ascii, parsed.error()));
  return ManifestReader(name, folder, accounts).read(parsed.table());
}

}  // namespace starling::agent
