// Purpose: releases' tars for tests, good and bad ones. Owner: a test. Thread: any. Lifetime: none.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/update/release.hpp"
#include "release/tar.hpp"

namespace starling::agent {

struct TarPart {
  std::string path;
  std::string content = {};
  char type = '0';  // as tar has it
  std::string target = {};
  unsigned mode = 0644;
};

// In the order that releases have, and with the folders that are only implied.
inline std::string tar_of(const std::vector<TarPart>& parts) {
  using release::Entry;
  std::map<std::string, std::pair<Entry, std::string>> sorted;
  std::string tar;
  const auto append = [&tar](const Entry& entry, const std::string& content) {
    tar += release::tar_header(entry) + content;
    tar.append(release::tar_padding(content.size()), '\0');
  };
  for (const TarPart& part : parts) {
    Entry entry{.path = part.path, .executable = (part.mode & 0100) != 0 && part.type == '0'};
    if (part.type == '5') entry.kind = Entry::Kind::folder;
    if (part.type == '2') entry.kind = Entry::Kind::link;
    if (entry.path.ends_with('/')) entry.path.pop_back();
    entry.size = part.content.size();
    entry.target = part.target;
    if (entry.path == release::metadata_path) {
      append(entry, part.content);
      continue;
    }
    for (std::size_t slash = entry.path.find('/'); slash != std::string::npos;
         slash = entry.path.find('/', slash + 1)) {
      const std::string folder = entry.path.substr(0, slash);
      sorted.try_emplace(folder, Entry{.path = folder, .kind = Entry::Kind::folder}, "");
    }
    sorted[entry.path] = {entry, part.content};
  }
  for (const auto& [path, part] : sorted)
    append(part.first, part.second);
  return tar + std::string(release::tar_end, '\0');
}

inline std::vector<TarPart> release_parts(const std::string& version, std::vector<TarPart> payload = {}) {
  std::vector<TarPart> parts{
      {"update_metadata.json", fmt::format(R"({{"version":"{}","architecture":"arm64"}})", version)},
      {"payload/", "", '5', "", 0755},
      {"payload/VERSION", version + "\n"}};
  std::ranges::move(payload, std::back_inserter(parts));
  return parts;
}

inline ReleaseTarget target_of(const std::string& version, std::string_view tar) {
  ReleaseTarget target;
  target.release = {version, sha256(tar)};
  target.architecture = "arm64";
  target.path = fmt::format("releases/{}/arm64.tar", version);
  target.length = tar.size();
  return target;
}

}  // namespace starling::agent
