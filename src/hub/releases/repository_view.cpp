#include "hub/releases/repository_view.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <utility>

namespace starling::hub {

namespace tuf = protocol::tuf;

namespace {

constexpr std::string_view folder = "releases/";
constexpr std::string_view ending = ".tar";
constexpr std::chrono::days alert_ahead{90};

template <typename T>
Result<void> read_into(T& into, Result<T> parsed, std::string_view file) {
  if (!parsed) return fail(parsed, file);
  into = std::move(*parsed);
  return {};
}

std::string hash_of(const tuf::TargetFile& file) {
  for (const tuf::Hash& hash : file.hashes) {
    if (hash.algorithm == HashAlgorithm::sha256) return hash.hex;
  }
  return {};
}

// "a/b/HASH.c" for "a/b/c".
std::string served_name(std::string_view path, std::string_view hash) {
  const std::size_t name_at = path.rfind('/') + 1;
  return fmt::format("{}{}.{}", path.substr(0, name_at), hash, path.substr(name_at));
}

}  // namespace

std::string tar_path(std::string_view version, std::string_view architecture) {
  return fmt::format("{}{}/{}{}", folder, version, architecture, ending);
}

std::string schedule_path(std::string_view version) {
  return fmt::format("schedules/{}.json", version);
}

std::optional<std::string> parse_schedule_path(std::string_view path) {
  constexpr std::string_view folder_of_schedules = "schedules/", json = ".json";
  if (!path.starts_with(folder_of_schedules) || !path.ends_with(json)) return std::nullopt;
  path.remove_prefix(folder_of_schedules.size());
  path.remove_suffix(json.size());
  return std::string(path);
}

Result<TarName> parse_tar_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (path.starts_with(folder) && path.ends_with(ending) && slash >= folder.size()) {
    const std::string_view version = path.substr(folder.size(), slash - folder.size());
    const std::string_view architecture = path.substr(slash + 1, path.size() - ending.size() - slash - 1);
    if (protocol::parse_version(version) && protocol::parse_architecture(architecture)) {
      return TarName{std::string(version), std::string(architecture)};
    }
  }
  return fail(
      ErrorCode::invalid_argument,
      fmt::format("the target '{}' is no release: it must be called releases/VERSION/ARCHITECTURE.tar",
                  path));
}

Result<ReleaseTars> release_tars(const tuf::Targets& targets) {
  ReleaseTars tars;
  for (const auto& [path, file] : targets.targets) {
    if (const auto name = parse_tar_path(path); !name) return fail(name);
    std::string hash = hash_of(file);
    if (hash.empty()) return fail(ErrorCode::invalid_argument, path + " has no SHA-256");
    tars.emplace(path, ReleaseTar{static_cast<std::uint64_t>(file.length), std::move(hash), file.custom});
  }
  return tars;
}

std::optional<std::int64_t> RepositoryView::version_of(std::string_view role) const {
  if (!begun()) return std::nullopt;
  if (role == "root") return root.version;
  if (role == "timestamp") return timestamp.version;
  if (role == "snapshot") return snapshot.version;
  if (role == "targets") return targets.version;
  if (role == schedule_role) return schedule.version;
  return std::nullopt;
}

std::optional<std::string> RepositoryView::served_hash(std::string_view path) const {
  if (!begun()) return std::nullopt;
  for (const auto& [name, tar] : published) {
    if (served_name(name, tar.sha256) == path) return tar.sha256;
  }
  for (const auto& [name, file] : schedule.targets) {
    if (served_name(name, hash_of(file)) == path) return hash_of(file);
  }
  return std::nullopt;
}

std::vector<std::string> RepositoryView::alerts(WallTime now) const {
  std::vector<std::string> alerts;
  if (!begun()) return alerts;
  const std::pair<const char*, const tuf::Envelope*> signed_by_people[] = {{"root", &root},
                                                                           {"targets", &targets}};
  for (const auto& [role, metadata] : signed_by_people) {
    if (metadata->expires > now + alert_ahead) continue;
    alerts.push_back(fmt::format("{}.json {} on {:%Y-%m-%d}: sign it anew (starling keys rotate {})", role,
                                 metadata->expires > now ? "expires" : "expired", metadata->expires, role));
  }
  if (targets.version < least_version) {
    alerts.emplace_back(
        "targets.json came from a backup: devices that have seen a newer one take no release until it is "
        "signed anew (starling keys rotate targets --keep)");
  }
  return alerts;
}

Result<RepositoryView> read_chain(Chain chain) {
  RepositoryView view;
  if (chain.root_version == 0) return view;
  if (auto read = read_into(view.root, tuf::parse_root(chain.root), "root.json"); !read) return fail(read);
  if (auto read = read_into(view.timestamp, tuf::parse_timestamp(chain.timestamp), "timestamp.json"); !read)
    return fail(read);
  if (auto read = read_into(view.snapshot, tuf::parse_snapshot(chain.snapshot), "snapshot.json"); !read)
    return fail(read);
  if (auto read = read_into(view.targets, tuf::parse_targets(chain.targets), "targets.json"); !read)
    return fail(read);
  if (auto read = read_into(view.schedule, tuf::parse_targets(chain.schedule), "schedule.json"); !read)
    return fail(read);
  auto tars = release_tars(view.targets);
  if (!tars) return fail(tars, "targets.json");
  view.published = std::move(*tars);
  view.chain = std::move(chain);
  return view;
}

}  // namespace starling::hub
