// docs/wire-protocol.md is a contract: its examples must be what the code reads, with right hashes and proof.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "base/build_folders.hpp"
#include "base/files.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/merge_patch.hpp"
#include "protocol/messages.hpp"
#include "protocol/module_messages.hpp"

namespace starling::protocol {
namespace {

struct Example {
  std::string speaker;  // "hub", "device", "agent", "module", "flat"
  std::string text;
};

// Every block that starts with "```json SPEAKER".
std::vector<Example> examples() {
  const std::string page = read_file(source_folder() / "docs/wire-protocol.md", 1u << 20).value();
  constexpr std::string_view fence = "```json ";
  std::vector<Example> found;
  for (auto at = page.find(fence); at != std::string::npos; at = page.find(fence, at + 1)) {
    const auto speaker = at + fence.size();
    const auto begin = page.find('\n', speaker) + 1;
    const auto end = page.find("\n```", begin);
    found.push_back({page.substr(speaker, begin - 1 - speaker), page.substr(begin, end - begin)});
  }
  return found;
}

template <typename Variant, typename Decode>
std::set<std::size_t> kinds_of(std::string_view speaker, Decode decode) {
  std::set<std::size_t> kinds;
  for (const Example& example : examples()) {
    if (example.speaker != speaker) continue;
    const Result<Variant> message = decode(example.text);
    EXPECT_TRUE(message) << example.text << (message ? "" : message.error().message);
    if (!message) continue;
    EXPECT_FALSE(std::holds_alternative<Unknown>(*message)) << example.text;
    kinds.insert(message->index());
  }
  return kinds;
}

// Unknown is the only alternative without an example.
TEST(WireProtocolPage, HasAnExampleOfEveryMessage) {
  EXPECT_EQ(kinds_of<FromHub>("hub", decode_from_hub).size(), std::variant_size_v<FromHub> - 1);
  EXPECT_EQ(kinds_of<FromDevice>("device", decode_from_device).size(), std::variant_size_v<FromDevice> - 1);
  EXPECT_EQ(kinds_of<module::FromModule>("module", module::decode_from_module).size(),
            std::variant_size_v<module::FromModule> - 1);
  EXPECT_EQ(kinds_of<module::FromAgent>("agent", module::decode_from_agent).size(),
            std::variant_size_v<module::FromAgent> - 1);
}

// Reading and writing again loses nothing: the page names no member that the code does not know.
TEST(WireProtocolPage, NamesOnlyMembersThatAreRead) {
  for (const Example& example : examples()) {
    Json written;
    if (example.speaker == "hub") written = parse_json(encode(*decode_from_hub(example.text))).value();
    if (example.speaker == "device") written = parse_json(encode(*decode_from_device(example.text))).value();
    if (!written.is_object() || written.at("type") == "handshake") continue;
    const Json shown = parse_json(example.text).value();
    for (const auto& member : shown.get_object()) {
      EXPECT_TRUE(written.get_object().contains(member.key())) << member.key() << " in " << example.text;
    }
  }
}

TEST(WireProtocolPage, HashesOfUpdatesAreRight) {
  std::map<std::string, Json> documents;
  for (const Example& example : examples()) {
    if (example.speaker != "hub") continue;
    const FromHub message = decode_from_hub(example.text).value();
    const auto* update = std::get_if<ConfigUpdate>(&message);
    if (update == nullptr) continue;
    Json document = update->payload;
    if (update->base) {
      ASSERT_TRUE(documents.contains(update->base.hex()));
      document = documents[update->base.hex()];
      apply_merge_patch(document, update->payload);
    }
    EXPECT_EQ(hash_of(document), update->hash) << canonical_json(document);
    EXPECT_TRUE(SettingsDocument::from_json(document));
    documents[update->hash.hex()] = document;
  }
  EXPECT_EQ(documents.size(), 2u);
}

TEST(WireProtocolPage, HashesOfModuleSettingsAreRight) {
  int checked = 0;
  for (const Example& example : examples()) {
    if (example.speaker != "agent") continue;
    const module::FromAgent message = module::decode_from_agent(example.text).value();
    if (const auto* settings = std::get_if<module::Settings>(&message)) {
      EXPECT_EQ(hash_of(settings->values), settings->hash);
      ++checked;
    } else if (const auto* prepare = std::get_if<module::Prepare>(&message)) {
      EXPECT_EQ(hash_of(prepare->values), prepare->hash);
      ++checked;
    }
  }
  EXPECT_EQ(checked, 2);
}

TEST(WireProtocolPage, TheProofIsATestVector) {
  const auto private_key = base64url_decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
  const auto keys = ed25519_key_pair_from(private_key.value());
  ASSERT_TRUE(keys);
  EXPECT_EQ(base64url_encode(keys->public_key), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
  int checked = 0;
  for (const Example& example : examples()) {
    if (example.speaker != "device") continue;
    const FromDevice message = decode_from_device(example.text).value();
    const auto* handshake = std::get_if<Handshake>(&message);
    if (handshake == nullptr || handshake->protocol == 0) continue;
    const auto signature = ed25519_sign(keys->private_key, handshake_proof_text(*handshake));
    EXPECT_EQ(base64url_encode(signature.value()), handshake->proof);
    ++checked;
  }
  EXPECT_EQ(checked, 1);
}

}  // namespace
}  // namespace starling::protocol
