// Whatever is read as metadata of one kind keeps the limits that the rest of the program counts on, and is
// metadata of no other kind.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>

#include "protocol/tuf/metadata.hpp"
#include "protocol/tuf/target_search.hpp"

namespace {

using namespace starling::protocol::tuf;

void require(bool held) {
  if (!held) std::abort();
}

void check(const Envelope& metadata) {
  std::set<std::string_view> ids;
  for (const Signature& signature : metadata.signatures)
    require(ids.insert(signature.key_id).second);
  require(metadata.version > 0 && !metadata.signed_bytes.empty());
}

void check(const Signers& signers) {
  require(signers.threshold > 0);
  require(std::set<std::string_view>(signers.key_ids.begin(), signers.key_ids.end()).size() ==
          signers.key_ids.size());
}

void check(const FileMeta& meta) {
  require(meta.version > 0 && meta.length.value_or(0) >= 0);
}

void check(const Targets& targets) {
  for (const DelegatedRole& role : targets.delegations.roles) {
    check(role.signers);
    require(!role.name.empty() && role.name.size() <= max_role_name_bytes);
  }
  TargetSearch search = TargetSearch::of("some/target").value();
  while (!search.enter(targets)) {  // every role says the same
    const auto next = search.next();
    if (!next) break;
    require(!next->role.empty() && next->role.size() <= max_role_name_bytes && next->role != "root");
    check(*next->signers);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  int kinds = 0;
  if (const auto root = parse_root(bytes)) {
    ++kinds;
    check(*root);
    for (const Signers* signers : {&root->root, &root->timestamp, &root->snapshot, &root->targets})
      check(*signers);
    (void)check_signatures("root", root->signed_bytes, root->signatures, root->keys, root->root);
  }
  if (const auto timestamp = parse_timestamp(bytes)) {
    ++kinds;
    check(*timestamp);
    check(timestamp->snapshot);
  }
  if (const auto snapshot = parse_snapshot(bytes)) {
    ++kinds;
    check(*snapshot);
    for (const auto& [name, meta] : snapshot->files)
      check(meta);
  }
  if (const auto targets = parse_targets(bytes)) {
    ++kinds;
    check(static_cast<const Envelope&>(*targets));
    check(*targets);
  }
  require(kinds <= 1);
  return 0;
}
