#include "hub/releases/online_keys.hpp"

#include <fmt/format.h>

#include "base/files.hpp"

namespace starling::hub {

using protocol::tuf::SigningKey;

namespace {

Result<SigningKey> load_or_make(const std::filesystem::path& path) {
  const Result<std::string> text = read_file(path, 1024);
  if (!text && text.error().code == ErrorCode::not_found) {
    SigningKey made = SigningKey::make();
    const auto written = write_file_durably(path, hex_encode(made.pair.private_key) + "\n", 0600);
    if (!written) return fail(written);
    return made;
  }
  if (!text) return fail(text);
  const Result<std::string> bytes = hex_decode(std::string_view(*text).substr(0, text->find('\n')));
  Result<SigningKey> key = bytes ? SigningKey::from_private(*bytes) : Result<SigningKey>(fail(bytes));
  if (key) return key;
  return fail(
      ErrorCode::corrupted,
      fmt::format("{} holds no key: put it back from a backup, or remove it and have the root name the "
                  "new one (starling keys rotate)",
                  path.string()));
}

}  // namespace

Result<OnlineKeys> OnlineKeys::load(const std::filesystem::path& folder, bool with_targets) {
  if (auto made = make_folders(folder, 0700); !made) return fail(made);
  auto snapshot = load_or_make(folder / "snapshot.key");
  if (!snapshot) return fail(snapshot);
  auto timestamp = load_or_make(folder / "timestamp.key");
  if (!timestamp) return fail(timestamp);
  auto schedule = load_or_make(folder / "schedule.key");
  if (!schedule) return fail(schedule);
  OnlineKeys keys{std::move(*snapshot), std::move(*timestamp), std::move(*schedule), std::nullopt};
  if (!with_targets) return keys;
  auto targets = load_or_make(folder / "targets.key");
  if (!targets) return fail(targets);
  keys.targets = std::move(*targets);
  return keys;
}

}  // namespace starling::hub
