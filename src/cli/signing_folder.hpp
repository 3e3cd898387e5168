// Purpose: what an operator signs with, on their own machine: keys in files that only they can read, and the
// root that they trust. It may lie on a stick, on a machine without a network, or be spread over several of
// both. Owner: the command. Thread: one; blocking. Lifetime: the command's.
//
//   ROLE.ID.key   a private key of root or targets, 64 hexadecimal digits, mode 0600; ID: the first 8 of its
//   id root.json     the newest root that this operator knows
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "protocol/tuf/metadata.hpp"
#include "protocol/tuf/writer.hpp"

namespace starling::cli {

class SigningFolder {
 public:
  // Errors: not_found, invalid_argument (a file holds no key), permission_denied (others can read one).
  static Result<SigningFolder> open(std::filesystem::path path);
  // The same, and made if it is not there.
  static Result<SigningFolder> make(std::filesystem::path path);

  const protocol::tuf::SigningKeys& keys(std::string_view role) const;
  Result<void> add_key(std::string_view role);
  // Puts keys aside that `root` no longer names, as ROLE.ID.key.retired.
  Result<void> retire(const protocol::tuf::Root& root);

  const std::optional<std::string>& root() const { return root_; }  // the file
  Result<void> keep_root(std::string_view file);
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit SigningFolder(std::filesystem::path path) : path_(std::move(path)) {}
  Result<void> load();
  std::filesystem::path file_of(std::string_view role, const protocol::tuf::SigningKey& key) const;

  std::filesystem::path path_;
  std::map<std::string, protocol::tuf::SigningKeys, std::less<>> keys_;
  std::optional<std::string> root_;
};

// How many of the signatures that a role needs a file has. Errors: those of the parsers.
struct SignatureCount {
  std::int64_t present = 0;
  std::int64_t needed = 0;
  bool enough() const { return present >= needed; }
};
SignatureCount count_signatures(const protocol::tuf::Envelope& metadata, const protocol::tuf::Keys& keys,
                                const protocol::tuf::Signers& signers);

}  // namespace starling::cli
