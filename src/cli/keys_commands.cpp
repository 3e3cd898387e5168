#include "cli/keys_commands.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/files.hpp"
#include "cli/release_signing.hpp"
#include "cli/table.hpp"

namespace starling::cli {
namespace {

namespace tuf = protocol::tuf;

void add_folder_option(CLI::App& app, std::string& folder) {
  app.add_option("--keys", folder, "Your folder of signing keys; STARLING_KEYS is the same")
      ->envname("STARLING_KEYS")
      ->required()
      ->type_name("FOLDER");
}

tuf::RoleKeys role_of(const tuf::SigningKeys& keys, std::int64_t threshold) {
  tuf::RoleKeys role{{}, threshold};
  for (const tuf::SigningKey& key : keys)
    role.keys.push_back(key.public_json());
  return role;
}

tuf::RoleKeys online(const Repository& repository, const char* role) {
  return {{repository.online_keys.at(role)}, 1};
}

Result<tuf::RoleKeys> online_targets(const Repository& repository) {
  if (repository.online_keys.contains("targets")) return online(repository, "targets");
  return fail(ErrorCode::failed_precondition,
              "this hub offers no key for targets: start it with --online-targets, or leave the option out");
}

class InitKeys final : public Command {
 public:
  explicit InitKeys(CLI::App& app) {
    add_folder_option(app, folder_);
    app.add_option("--root-keys", root_count_, "How many keys the root shall have")
        ->check(CLI::Range(1, 16))
        ->capture_default_str();
    app.add_option("--root-threshold", root_threshold_, "How many of them have to sign")
        ->check(CLI::Range(1, 16))
        ->capture_default_str();
    app.add_option("--targets-keys", targets_count_, "How many keys may sign releases")
        ->check(CLI::Range(1, 16))
        ->capture_default_str();
    app.add_option("--targets-threshold", targets_threshold_, "How many of them have to sign")
        ->check(CLI::Range(1, 16))
        ->capture_default_str();
    app.add_flag("--online-targets", online_targets_,
                 "The hub signs releases by itself; whoever breaks into it can publish one");
  }

  Result<ExitCode> run(Session& session) override {
    if (root_threshold_ > root_count_ || targets_threshold_ > targets_count_) {
      return fail(ErrorCode::invalid_argument, "a threshold cannot be larger than the number of keys");
    }
    const auto repository = ask_repository(session);
    if (!repository) return fail(repository);
    if (repository->root) {
      return fail(
          ErrorCode::already_exists,
          "this fleet has a root already, and devices follow no other: starling keys rotate changes it");
    }
    auto folder = SigningFolder::make(folder_);
    if (!folder) return fail(folder);
    // An attempt that failed before may have made some.
    if (auto made = make_keys(*folder, "root", root_count_); !made) return fail(made);
    RootWish wish;
    wish.roles.root = role_of(folder->keys("root"), static_cast<std::int64_t>(root_threshold_));
    wish.roles.snapshot = online(*repository, "snapshot");
    wish.roles.timestamp = online(*repository, "timestamp");
    Publication publication;
    if (online_targets_) {
      auto role = online_targets(*repository);
      if (!role) return fail(role);
      wish.roles.targets = std::move(*role);
    } else {
      if (auto made = make_keys(*folder, "targets", targets_count_); !made) return fail(made);
      wish.roles.targets = role_of(folder->keys("targets"), static_cast<std::int64_t>(targets_threshold_));
      auto targets = targets_of(*repository, {}, {}, session.clock.wall());
      if (!targets) return fail(targets);
      publication.targets = Signable{std::move(*targets), folder->keys("targets")};
    }
    publication.root = Signable{root_of(wish, session.clock.wall()), folder->keys("root")};
    const auto done = sign_and_publish(session, *folder, publication);
    if (!done) return done;
    session.console.line("made the fleet's root and published it; devices begin with " +
                         (folder->path() / "root.json").string());
    session.console.note(
        "keep copies of " + folder->path().string() +
        " in safe places: what is lost there cannot be made again, and what is stolen signs for you");
    return done;
  }

 private:
  static Result<void> make_keys(SigningFolder& folder, std::string_view role, std::size_t count) {
    while (folder.keys(role).size() < count) {
      if (auto added = folder.add_key(role); !added) return added;
    }
    return {};
  }

  std::string folder_;
  std::size_t root_count_ = 1, targets_count_ = 1, root_threshold_ = 1, targets_threshold_ = 1;
  bool online_targets_ = false;
};

class ShowKeys final : public Command {
 public:
  explicit ShowKeys(CLI::App& app) { add_folder_option(app, folder_); }

  Result<ExitCode> run(Session& session) override {
    const auto folder = SigningFolder::open(folder_);
    if (!folder) return fail(folder);
    if (!folder->root()) return fail(ErrorCode::not_found, "your folder of keys has no root.json");
    const auto root = tuf::parse_root(*folder->root());
    if (!root) return fail(root, "root.json");
    const std::pair<const char*, const tuf::Signers*> roles[] = {{"root", &root->root},
                                                                 {"targets", &root->targets},
                                                                 {"snapshot", &root->snapshot},
                                                                 {"timestamp", &root->timestamp}};
    JsonArray items;
    Table table({{"ROLE"}, {"NEEDS"}, {"KEY"}, {"HERE"}});
    for (const auto& [role, signers] : roles) {
      const std::string needs = fmt::format("{} of {}", signers->threshold, signers->key_ids.size());
      for (const std::string& id : signers->key_ids) {
        const bool here =
            std::ranges::any_of(folder->keys(role), [&](const auto& key) { return key.id == id; });
        items.push_back(
            JsonObject{{"role", role}, {"threshold", signers->threshold}, {"key", id}, {"here", here}});
        table.add({role, needs, id.substr(0, 8), here ? "yes" : ""});
      }
    }
    const JsonObject answer{
        {"root_version", root->version}, {"expires", to_rfc3339(root->expires)}, {"keys", std::move(items)}};
    if (print_json(session, answer)) return ExitCode::done;
    session.console.raw(table.render(session.console.out_terminal()));
    session.console.raw("\n");
    session.console.line(
        fmt::format("root.json has version {} and holds until {:%Y-%m-%d}", root->version, root->expires));
    return ExitCode::done;
  }

 private:
  std::string folder_;
};

class RotateKeys final : public Command {
 public:
  explicit RotateKeys(CLI::App& app) {
    app.add_option("ROLE", role_, "Whose keys: root, targets, or online for those of the hub")
        ->required()
        ->check(CLI::IsMember({"root", "targets", "online"}));
    add_folder_option(app, folder_);
    app.add_flag("--online-targets", online_targets_, "The hub shall sign releases by itself from now on");
    app.add_flag("--keep", keep_, "Only sign anew, with the keys that there are");
  }

  Result<ExitCode> run(Session& session) override {
    const auto repository = ask_repository(session);
    if (!repository) return fail(repository);
    auto folder = SigningFolder::open(folder_);
    if (!folder) return fail(folder);
    if (!repository->root)
      return fail(ErrorCode::not_found, "this fleet has no root yet: starling keys init");
    if (folder->root() != repository->root) {
      return fail(
          ErrorCode::conflict,
          "the hub has another root.json than your folder of keys: take the newest one from whoever has "
          "changed it, and never the hub's alone");
    }
    auto wish = read_root(*repository->root);
    if (!wish) return fail(wish);
    ++wish->version;
    tuf::SigningKeys root_keys = folder->keys("root");  // the former ones sign too
    if (auto changed = change(*folder, *repository, wish->roles); !changed) return fail(changed);
    for (const tuf::SigningKey& key : folder->keys("root")) {
      const auto same = [&](const auto& each) { return each.id == key.id; };
      if (std::ranges::none_of(root_keys, same)) root_keys.push_back(key);
    }
    Publication publication;
    publication.root = Signable{root_of(*wish, session.clock.wall()), std::move(root_keys)};
    if (role_ != "root" && !online_targets_ && !repository->signs_targets) {
      auto targets = targets_of(*repository, folder->root(), {}, session.clock.wall());
      if (!targets) return fail(targets);
      publication.targets = Signable{std::move(*targets), folder->keys("targets")};
    }
    const auto done = sign_and_publish(session, *folder, publication);
    if (done && *done == ExitCode::done) {
      session.console.line(fmt::format("published root.json, version {}", wish->version));
    }
    return done;
  }

 private:
  Result<void> change(SigningFolder& folder, const Repository& repository, tuf::TopRoles& roles) const {
    roles.snapshot = online(repository, "snapshot");
    roles.timestamp = online(repository, "timestamp");
    if (online_targets_) {
      auto role = online_targets(repository);
      if (!role) return fail(role);
      roles.targets = std::move(*role);
      return {};
    }
    if (role_ == "online" || keep_) return {};
    tuf::RoleKeys& role = role_ == "root" ? roles.root : roles.targets;
    const std::size_t former = folder.keys(role_).size();
    for (std::size_t i = 0; i < role.keys.size(); ++i) {
      if (auto added = folder.add_key(role_); !added) return added;
    }
    const tuf::SigningKeys& all = folder.keys(role_);
    role = role_of({all.begin() + static_cast<std::ptrdiff_t>(former), all.end()}, role.threshold);
    return {};
  }

  std::string role_, folder_;
  bool online_targets_ = false, keep_ = false;
};

// Asks nobody but the person: it is for machines without a network.
class SignFiles final : public Command {
 public:
  explicit SignFiles(CLI::App& app) {
    app.add_option("FILE", files_, "A root.json or targets.json that needs your signatures")
        ->required()
        ->type_name("...");
    add_folder_option(app, folder_);
  }

  Result<ExitCode> run(Session& session) override {
    const auto folder = SigningFolder::open(folder_);
    if (!folder) return fail(folder);
    for (const std::string& file : files_) {
      if (auto done = sign(session, *folder, file); !done) return fail(done, file);
    }
    return ExitCode::done;
  }

 private:
  static Result<void> sign(Session& session, const SigningFolder& folder, const std::string& file) {
    const auto bytes = read_file(file, tuf::max_targets_bytes);
    if (!bytes) return fail(bytes);
    const auto root = tuf::parse_root(*bytes);
    const auto targets = tuf::parse_targets(*bytes);
    if (!root && !targets) return fail(targets);
    const char* role = root ? "root" : "targets";
    if (folder.keys(role).empty()) {
      return fail(ErrorCode::not_found, fmt::format("your folder of keys has none for {}", role));
    }
    if (root) {
      session.console.line(fmt::format("{}: root.json, version {}: root {} of {}, targets {} of {}", file,
                                       root->version, root->root.threshold, root->root.key_ids.size(),
                                       root->targets.threshold, root->targets.key_ids.size()));
    } else {
      session.console.line(fmt::format("{}: targets.json, version {}:", file, targets->version));
      for (const auto& [path, target] : targets->targets) {
        session.console.line(
            fmt::format("  {}  sha256 {}", path, target.hashes.empty() ? "none" : target.hashes.front().hex));
      }
    }
    if (!session.console.confirm("Sign this?")) return fail(ErrorCode::failed_precondition, "not signed");
    const auto signed_file = tuf::add_signatures(*bytes, folder.keys(role));
    if (!signed_file) return fail(signed_file);
    if (auto written = write_file_durably(file, *signed_file); !written) return written;
    session.console.line(fmt::format("signed {} with {} keys", file, folder.keys(role).size()));
    return {};
  }

  std::vector<std::string> files_;
  std::string folder_;
};

}  // namespace

void add_keys_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("keys", "Keys that sign releases");
  noun.require_subcommand(1);
  add_command<InitKeys>(tree, noun, "init",
                        "Make the fleet's root and the keys for releases, on this machine")
      .footer(
          "Examples:\n"
          "  starling keys init --keys ~/starling-keys\n"
          "  starling keys init --keys ~/starling-keys --targets-keys 3 --targets-threshold 2\n"
          "Then give the devices root.json of that folder.");
  add_command<ShowKeys>(tree, noun, "show", "Whose signatures the root demands, and which keys are here");
  add_command<RotateKeys>(tree, noun, "rotate", "Replace keys by new ones; the old ones end at once");
  add_command<SignFiles>(tree, noun, "sign", "Add your signatures to a file; needs no network");
}

}  // namespace starling::cli
