// Purpose: releases' tars for tests, good and bad ones. Owner: a test. Thread: any. Lifetime: none.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/update/release.hpp"

namespace starling::agent {

struct TarPart {
  std::string path;
  std::string content = {};
  char type = '0';
  std::string target = {};
  unsigned mode = 0644;
};

inline void put_field(std::string& header, std::size_t at, std::string_view text) {
  header.replace(at, text.size(), text);
}

inline std::string tar_header(const TarPart& part) {
  std::string header(512, '\0');
  if (part.path.size() <= 100) {
    put_field(header, 0, part.path);
  } else {
    const std::size_t slash = part.path.rfind('/', 155);
    put_field(header, 0, std::string_view(part.path).substr(slash + 1));
    put_field(header, 345, std::string_view(part.path).substr(0, slash));
  }
  put_field(header, 100, fmt::format("{:07o}", part.mode));
  put_field(header, 108, "0000000");
  put_field(header, 116, "0000000");
  put_field(header, 124, fmt::format("{:011o}", part.content.size()));
  put_field(header, 136, "00000000000");
  put_field(header, 156, std::string(1, part.type));
  put_field(header, 157, part.target);
  put_field(header, 257, std::string_view("ustar\00000", 8));
  unsigned sum = 8 * ' ';
  for (const char byte : header)
    sum += static_cast<unsigned char>(byte);
  put_field(header, 148, fmt::format("{:06o}", sum));
  header[155] = ' ';
  return header;
}

inline std::string tar_of(const std::vector<TarPart>& parts) {
  std::string tar;
  for (const TarPart& part : parts) {
    tar += tar_header(part) + part.content;
    tar.resize((tar.size() + 511) / 512 * 512, '\0');
  }
  return tar + std::string(1024, '\0');
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
