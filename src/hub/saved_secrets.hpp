// Purpose: what makes a hub this hub, in a backup, beside that of the database: the keys that devices know by
// their pins (tls), the first admin key (admin.key) and that by which receivers know it (webhook.secret).
// Owner: none. Thread: any; blocking. Lifetime: none.
//
// Whoever has them can be the hub: a folder of mode 0700, files of mode 0600. A hub may lack some of them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace starling::hub {

// Of a backup of the database: "hub.backup" → "hub.backup.secrets".
std::filesystem::path saved_secrets_of(const std::filesystem::path& backup);

// Copies those of DATA to `target`, whole or not at all. Errors: already_exists, corrupted (a key cannot be
// read, or the certificate is not its), io and those of base/files.
Result<void> back_up_secrets(const std::filesystem::path& data, const std::filesystem::path& target);

// In two steps, so that nothing has changed if `saved` turns out to be damaged. A backup of an earlier hub
// has none. Errors: corrupted, io and those of base/files.
Result<void> stage_secrets(const std::filesystem::path& saved, const std::filesystem::path& data);
void drop_staged_secrets(const std::filesystem::path& data);

struct RestoredSecret {
  std::string name;              // "tls", ...
  std::filesystem::path former;  // where the one before is kept: tls.replaced-1; empty: there was none
};
// Puts those in place that are others there, and gives them.
Result<std::vector<RestoredSecret>> put_staged_secrets(const std::filesystem::path& data);

// Which of them are not in `folder`, DATA or a backup.
std::vector<std::string> missing_secrets(const std::filesystem::path& folder);

}  // namespace starling::hub
