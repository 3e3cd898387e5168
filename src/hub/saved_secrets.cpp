#include "hub/saved_secrets.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <system_error>

#include "base/files.hpp"
#include "base/tls.hpp"
#include "hub/file_copies.hpp"

namespace starling::hub {

namespace fs = std::filesystem;
namespace {

constexpr std::string_view staged_secrets_name = "secrets.restoring";
constexpr std::size_t max_secret_bytes = 256u << 10;
constexpr std::array<std::string_view, 3> secret_names{"tls", "admin.key", "webhook.secret"};
constexpr std::array<std::string_view, 5> secret_files{"tls/key.pem", "tls/backup-key.pem",
                                                       "tls/certificate.pem", "admin.key", "webhook.secret"};

bool is_in(std::string_view name, std::string_view file) {
  return file == name || (file.starts_with(name) && file[name.size()] == '/');
}

// Errors: corrupted, those of base/files.
Result<void> check_tls_keys(const fs::path& folder) {
  std::string own_pin;
  for (const char* name : {"key.pem", "backup-key.pem", "certificate.pem"}) {
    const auto text = read_file(folder / name, max_secret_bytes);
    if (!text && text.error().code == ErrorCode::not_found) continue;
    if (!text) return fail(text);
    const bool is_certificate = std::string_view(name) == "certificate.pem";
    const auto pin = is_certificate ? pin_of_certificate(*text) : pin_of_private_key(*text);
    if (!pin) return fail(ErrorCode::corrupted, fmt::format("{} is damaged", (folder / name).string()));
    if (own_pin.empty()) own_pin = *pin;
    if (is_certificate && *pin != own_pin) {
      return fail(
          ErrorCode::corrupted,
          fmt::format("{} is not of the key beside it: was that being replaced?", (folder / name).string()));
    }
  }
  return {};
}

Result<void> copy_secrets(const fs::path& from, const fs::path& to) {
  for (const std::string_view file : secret_files) {
    const auto content = read_file(from / file, max_secret_bytes);
    if (!content && content.error().code == ErrorCode::not_found) continue;
    if (!content) return fail(content);
    if (auto made = make_folders((to / file).parent_path(), 0700); !made) return made;
    if (auto written = write_file_durably(to / file, *content, 0600); !written) return written;
  }
  if (auto good = check_tls_keys(to / "tls"); !good) return fail(good, from.string());
  return fsync_folder(to);
}

Result<void> copy_secrets_whole(const fs::path& from, const fs::path& target) {
  std::error_code ignored;
  fs::path partial = target;
  partial += ".partial";
  fs::remove_all(partial, ignored);
  auto copied = make_folders(partial, 0700);
  if (copied) copied = copy_secrets(from, partial);
  if (copied) copied = rename_durably(partial, target);
  if (!copied) fs::remove_all(partial, ignored);
  return copied;
}

bool same_secret(std::string_view name, const fs::path& a, const fs::path& b) {
  for (const std::string_view file : secret_files) {
    if (!is_in(name, file)) continue;
    const auto one = read_file(a / file, max_secret_bytes);
    const auto other = read_file(b / file, max_secret_bytes);
    if (one.has_value() != other.has_value() || (one && *one != *other)) return false;
  }
  return true;
}

}  // namespace

fs::path saved_secrets_of(const fs::path& backup) {
  fs::path saved = backup;
  saved += ".secrets";
  return saved;
}

Result<void> back_up_secrets(const fs::path& data, const fs::path& target) {
  std::error_code ignored;
  if (fs::exists(target, ignored))
    return fail(ErrorCode::already_exists, fmt::format("{} exists: choose another name", target.string()));
  return copy_secrets_whole(data, target);
}

Result<void> stage_secrets(const fs::path& saved, const fs::path& data) {
  drop_staged_secrets(data);
  std::error_code ignored;
  if (!fs::is_directory(saved, ignored)) return {};
  return copy_secrets_whole(saved, data / staged_secrets_name);
}

void drop_staged_secrets(const fs::path& data) {
  std::error_code ignored;
  fs::remove_all(data / staged_secrets_name, ignored);
}

Result<std::vector<RestoredSecret>> put_staged_secrets(const fs::path& data) {
  const fs::path staged = data / staged_secrets_name;
  std::error_code ignored;
  std::vector<RestoredSecret> restored;
  for (const std::string_view name : secret_names) {
    if (!fs::exists(staged / name, ignored) || same_secret(name, staged, data)) continue;
    auto former = keep_aside(data / name);
    if (!former) return fail(former);
    if (auto moved = rename_durably(staged / name, data / name); !moved) return fail(moved);
    restored.push_back({std::string(name), std::move(*former)});
  }
  drop_staged_secrets(data);
  return restored;
}

std::vector<std::string> missing_secrets(const fs::path& folder) {
  std::error_code ignored;
  std::vector<std::string> missing;
  for (const std::string_view name : secret_names) {
    if (!fs::exists(folder / name, ignored)) missing.emplace_back(name);
  }
  return missing;
}

}  // namespace starling::hub
