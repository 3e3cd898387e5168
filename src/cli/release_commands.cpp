#include "cli/release_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>

#include "base/files.hpp"
#include "cli/answer.hpp"
#include "cli/release_pack_commands.hpp"
#include "cli/release_queries.hpp"
#include "cli/release_schedule_command.hpp"
#include "cli/release_signing.hpp"
#include "cli/release_takers.hpp"

namespace starling::cli {
namespace {

namespace tuf = protocol::tuf;

void add_keys_option(CLI::App& app, std::string& folder) {
  app.add_option("--keys", folder, "Your folder of signing keys; STARLING_KEYS is the same")
      ->envname("STARLING_KEYS")
      ->type_name("FOLDER");
}

// Signs drafts of these versions with the keys of a folder, and publishes them if that is enough.
Result<ExitCode> sign_drafts(Session& session, const std::string& keys,
                             const std::vector<std::string>& versions) {
  const auto repository = ask_repository(session);
  if (!repository) return fail(repository);
  if (!repository->root) return fail(ErrorCode::not_found, "this fleet has no root yet: starling keys init");
  auto folder = SigningFolder::open(keys);
  if (!folder) return fail(folder);
  auto targets = targets_of(*repository, folder->root(), versions, session.clock.wall());
  if (!targets) return fail(targets);
  Publication publication;
  publication.targets = Signable{std::move(*targets), folder->keys("targets")};
  return sign_and_publish(session, *folder, publication);
}

// Gives a tar to the hub and, with keys, signs it.
Result<ExitCode> give_to_hub(Session& session, const std::string& file,
                             const protocol::ReleaseMetadata& metadata, const std::string& keys) {
  if (!keys.empty()) {
    if (const auto folder = SigningFolder::open(keys); !folder) return fail(folder);
  }
  auto tar = read_file(file, static_cast<std::size_t>(release::max_release_bytes) * 2);
  if (!tar) return fail(tar);
  const std::string version = to_string(metadata.version);
  const std::string architecture(to_string(metadata.architecture));
  Parameters query{{"sha256", sha256(*tar).hex()},
                   {"type", std::string(to_string(metadata.type))},
                   {"description", metadata.description}};
  if (!metadata.packages.empty()) {
    query.emplace_back("packages", fmt::format("{}", fmt::join(metadata.packages, ",")));
  }
  auto answer = session.api.upload(path_of({"releases", version, architecture}), std::move(*tar),
                                   "application/x-tar", query);
  if (!answer) return fail(answer);
  const bool draft = text_at(*answer, {"architectures", architecture, "state"}) == "draft";
  if (draft && !keys.empty()) {
    const auto done = sign_drafts(session, keys, {version});
    if (!done || *done != ExitCode::done) return done;
    answer = session.api.get(path_of({"releases", version}));
    if (!answer) return fail(answer);
  }
  if (print_json(session, *answer)) return ExitCode::done;
  session.console.line(
      fmt::format("{} for {} is {}", version, architecture, draft && keys.empty() ? "a draft" : "published"));
  if (draft && keys.empty()) {
    session.console.note(
        fmt::format("nobody can have it before it is signed: starling release sign {}", version));
  }
  if (!draft && !keys.empty()) {
    session.console.note("the hub signs what it is given (--online-targets): your keys were not used");
  }
  return ExitCode::done;
}

class CreateRelease final : public Command {
 public:
  explicit CreateRelease(CLI::App& app) {
    source_.add_to(app);
    add_keys_option(app, keys_);
    takers_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    if (auto checked = takers_.check(session); !checked) return fail(checked);
    const auto metadata = source_.metadata();
    if (!metadata) return fail(metadata);
    auto image = release::ReleaseImage::of_payload(source_.folder(), *metadata);
    if (!image) return fail(image);
    // A name of our own, so that nobody puts a link in its place.
    std::string folder = (std::filesystem::temp_directory_path() / "starling-release-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) return fail(ErrorCode::io, "no temporary folder can be made");
    const auto done = pack_and_give(session, *image, *metadata, folder + "/release.tar");
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return done;
  }

 private:
  Result<ExitCode> pack_and_give(Session& session, release::ReleaseImage& image,
                                 const protocol::ReleaseMetadata& metadata, const std::string& file) {
    const auto summary = release::write_tar(image, file);
    if (!summary) return fail(summary);
    if (!session.json()) {
      session.console.raw(release_text(*summary, image.left_out(), session.console.out_terminal()));
    }
    auto done = give_to_hub(session, file, metadata, keys_);
    if (!done) return done;
    const std::string version = to_string(metadata.version);
    if (source_.bumps()) {
      const auto counted_up =
          write_file_durably(std::filesystem::path(source_.folder()) / "VERSION", version + "\n");
      if (!counted_up) return fail(counted_up);
    }
    if (*done == ExitCode::done && takers_.any()) {
      if (auto taken = have_taken(session, version); !taken) return fail(taken);
    }
    return done;
  }

  // A draft is taken by nobody.
  Result<void> have_taken(Session& session, const std::string& version) const {
    const auto release = session.api.get(path_of({"releases", version}));
    if (!release) return fail(release);
    if (text_at(*release, {"state"}) == "published") return takers_.take(session, version);
    session.console.note("once it is signed: starling settings set software.release=" + version);
    return {};
  }

  ReleaseSource source_;
  std::string keys_;
  ReleaseTakers takers_;
};

class UploadRelease final : public Command {
 public:
  explicit UploadRelease(CLI::App& app) {
    app.add_option("FILE", file_, "A release, as starling release pack writes it")
        ->required()
        ->type_name(" ");
    add_keys_option(app, keys_);
  }

  Result<ExitCode> run(Session& session) override {
    auto bytes = release::FileBytes::open(file_);
    if (!bytes) return fail(bytes);
    const auto summary = release::inspect_tar(*bytes);
    if (!summary) return fail(summary, file_);
    if (!session.json()) session.console.raw(release_text(*summary, {}, session.console.out_terminal()));
    return give_to_hub(session, file_, summary->metadata, keys_);
  }

 private:
  std::string file_, keys_;
};

class SignRelease final : public Command {
 public:
  explicit SignRelease(CLI::App& app) {
    app.add_option("VERSION", versions_, "Drafts to sign")->type_name("...");
    app.add_option("--root", root_, "Publish this root.json, which others have signed")->type_name("FILE");
    app.add_option("--targets", targets_, "Publish this targets.json, which others have signed")
        ->type_name("FILE");
    add_keys_option(app, keys_);
    app.parse_complete_callback([this] {
      if (versions_.empty() == (root_.empty() && targets_.empty())) {
        throw CLI::ValidationError("release sign", "name the drafts to sign, or files that are signed");
      }
      if (keys_.empty() && !versions_.empty()) throw CLI::RequiredError("--keys");
    });
  }

  Result<ExitCode> run(Session& session) override {
    const auto done = versions_.empty() ? publish_files(session) : sign(session);
    if (done && *done == ExitCode::done && !session.json()) session.console.line("published");
    return done;
  }

 private:
  Result<ExitCode> sign(Session& session) {
    for (const std::string& version : versions_) {
      const auto release = session.api.get(path_of({"releases", version}));
      if (!release) return fail(release);
      for (const auto& [architecture, tar] : object_at(*release, {"architectures"})) {
        session.console.line(fmt::format("{} for {}: sha256 {}", version, std::string_view(architecture),
                                         text_at(as_object(tar), {"sha256"})));
      }
    }
    if (!session.console.confirm("Is that what you have built, and shall devices run it?"))
      return ExitCode::failed;
    return sign_drafts(session, keys_, versions_);
  }

  Result<ExitCode> publish_files(Session& session) {
    const auto file = [](const std::string& path) -> Result<std::optional<std::string>> {
      if (path.empty()) return std::nullopt;
      auto bytes = read_file(path, tuf::max_targets_bytes);
      if (!bytes) return fail(bytes);
      return std::move(*bytes);
    };
    const auto root = file(root_);
    if (!root) return fail(root);
    const auto targets = file(targets_);
    if (!targets) return fail(targets);
    if (auto published = publish(session, *root, *targets); !published) return fail(published);
    if (!*root || keys_.empty()) return ExitCode::done;
    auto folder = SigningFolder::open(keys_);
    if (!folder) return fail(folder);
    const auto kept = folder->keep_root(**root);
    return kept ? Result<ExitCode>(ExitCode::done) : fail(kept);
  }

  std::vector<std::string> versions_;
  std::string root_, targets_, keys_;
};

class DeleteRelease final : public Command {
 public:
  explicit DeleteRelease(CLI::App& app) {
    app.add_option("VERSION", version_, "A draft; what is published stays")->required()->type_name(" ");
  }

  Result<ExitCode> run(Session& session) override {
    const auto answer = session.api.write(http::Method::del, path_of({"releases", version_}), Json(nullptr));
    if (!answer) return fail(answer);
    session.console.line("deleted the draft of " + version_);
    return ExitCode::done;
  }

 private:
  std::string version_;
};

}  // namespace

void add_release_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("release", "Releases");
  noun.require_subcommand(1);
  add_release_pack_command(tree, noun);
  add_command<CreateRelease>(
      tree, noun, "create",
      "Pack a folder and give it to the hub; with --keys it is signed and published too")
      .footer(
          "Examples:\n"
          "  starling release create v1.2.3 'Bug fixes' ./pi_client --keys ~/starling-keys\n"
          "  starling release create v1.2.4 'One room first' ./pi_client --on room=lab --now\n"
          "  starling release create --bump patch 'Security' --type urgent ./pi_client --all");
  add_command<UploadRelease>(tree, noun, "upload", "Give the hub a release that is packed already");
  add_release_schedule_command(tree, noun);
  add_release_queries(tree, noun);
  add_command<SignRelease>(tree, noun, "sign",
                           "Sign drafts with your keys, or publish files that are signed");
  add_command<DeleteRelease>(tree, noun, "delete", "Delete a draft");
}

}  // namespace starling::cli
