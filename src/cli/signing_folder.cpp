#include "cli/signing_folder.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "base/files.hpp"

namespace starling::cli {

namespace fs = std::filesystem;
namespace tuf = protocol::tuf;

namespace {

constexpr std::string_view ending = ".key";

Result<tuf::SigningKey> read_key(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 077) != 0) {
    return fail(ErrorCode::permission_denied,
                fmt::format("{} can be read by others: chmod 600 it, and ask yourself who has read it",
                            path.string()));
  }
  const auto text = read_file(path, 1024);
  if (!text) return fail(text);
  const auto bytes = hex_decode(std::string_view(*text).substr(0, text->find('\n')));
  auto key = bytes ? tuf::SigningKey::from_private(*bytes) : Result<tuf::SigningKey>(fail(bytes));
  if (!key) return fail(ErrorCode::invalid_argument, fmt::format("{} holds no key", path.string()));
  return key;
}

}  // namespace

Result<SigningFolder> SigningFolder::open(fs::path path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return fail(
        ErrorCode::not_found,
        fmt::format("{} is no folder of keys: give one with --keys, or make one with starling keys init",
                    path.string()));
  }
  SigningFolder folder(std::move(path));
  if (auto loaded = folder.load(); !loaded) return fail(loaded);
  return folder;
}

Result<SigningFolder> SigningFolder::make(fs::path path) {
  if (auto made = make_folders(path, 0700); !made) return fail(made);
  return open(std::move(path));
}

Result<void> SigningFolder::load() {
  const auto files = list_folder(path_);
  if (!files && files.error().code != ErrorCode::not_found) return fail(files);
  for (const fs::path& file : files.value_or(std::vector<fs::path>())) {
    const std::string name = file.filename().string();
    if (!name.ends_with(ending)) continue;
    auto key = read_key(file);
    if (!key) return fail(key);
    keys_[name.substr(0, name.find('.'))].push_back(std::move(*key));
  }
  auto root = read_file(path_ / "root.json", tuf::max_root_bytes);
  if (!root && root.error().code != ErrorCode::not_found) return fail(root);
  if (root) root_ = std::move(*root);
  return {};
}

fs::path SigningFolder::file_of(std::string_view role, const tuf::SigningKey& key) const {
  return path_ / fmt::format("{}.{}{}", role, key.id.substr(0, 8), ending);
}

const tuf::SigningKeys& SigningFolder::keys(std::string_view role) const {
  static const tuf::SigningKeys none;
  const auto found = keys_.find(role);
  return found == keys_.end() ? none : found->second;
}

Result<void> SigningFolder::add_key(std::string_view role) {
  tuf::SigningKey key = tuf::SigningKey::make();
  const auto written = write_file_durably(file_of(role, key), hex_encode(key.pair.private_key) + "\n", 0600);
  if (!written) return written;
  keys_[std::string(role)].push_back(std::move(key));
  return {};
}

Result<void> SigningFolder::retire(const tuf::Root& root) {
  for (const auto& [role, signers] : {std::pair("root", &root.root), std::pair("targets", &root.targets)}) {
    std::erase_if(keys_[role], [&, signers = signers, role = role](const tuf::SigningKey& key) {
      if (std::ranges::find(signers->key_ids, key.id) != signers->key_ids.end()) return false;
      fs::path aside = file_of(role, key);
      aside += ".retired";
      std::error_code ignored;
      fs::rename(file_of(role, key), aside, ignored);
      return true;
    });
  }
  return fsync_folder(path_);
}

Result<void> SigningFolder::keep_root(std::string_view file) {
  if (auto written = write_file_durably(path_ / "root.json", file); !written) return written;
  root_ = file;
  return {};
}

SignatureCount count_signatures(const tuf::Envelope& metadata, const tuf::Keys& keys,
                                const tuf::Signers& signers) {
  std::set<std::string> signed_by;
  for (const tuf::Signature& signature : metadata.signatures) {
    const auto key = keys.find(signature.key_id);
    const bool named = std::ranges::find(signers.key_ids, signature.key_id) != signers.key_ids.end();
    if (named && key != keys.end() && key->second.verifies(metadata.signed_bytes, signature.bytes)) {
      signed_by.insert(key->second.bytes);
    }
  }
  return {static_cast<std::int64_t>(signed_by.size()), signers.threshold};
}

}  // namespace starling::cli
