#include "cli/asset_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "cli/answer.hpp"
#include "cli/asset_download.hpp"
#include "cli/printable.hpp"
#include "cli/table.hpp"
#include "cli/write_outcome.hpp"
#include "protocol/asset_file.hpp"

namespace starling::cli {
namespace {

Parameters with_reason(Parameters query, const std::string& reason) {
  if (!reason.empty()) query.emplace_back("reason", reason);
  return query;
}

std::string size_text(std::int64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  if (bytes < 10'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1'000);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1'000'000);
}

std::string users_text(const JsonObject& asset) {
  std::string users;
  for (const Json& each : array_at(asset, {"used_by"})) {
    const JsonObject& use = as_object(each);
    users +=
        fmt::format("{}{} of {}", users.empty() ? "" : ", ", text_at(use, {"key"}), text_at(use, {"layer"}));
  }
  return users;
}

class ListAssets final : public Command {
 public:
  explicit ListAssets(CLI::App&) {}

  Result<ExitCode> run(Session& session) override {
    constexpr std::size_t hash_digits = 12;
    const auto list = session.api.list("/api/v1/assets");
    if (!list) return fail(list);
    if (print_json(session, *list)) return ExitCode::done;
    Table table({{"NAME", Table::Align::left, true},
                 {"SIZE", Table::Align::right},
                 {"SHA-256"},
                 {"USED BY", Table::Align::left, true}});
    for (const Json& item : array_at(*list, {"items"})) {
      const JsonObject& asset = as_object(item);
      table.add({text_at(asset, {"name"}), size_text(number_at(asset, {"size"})),
                 text_at(asset, {"sha256"}).substr(0, hash_digits), users_text(asset)});
    }
    session.console.raw(table.render(session.console.out_terminal()));
    if (table.empty()) session.console.note("no assets; 'starling asset add NAME FILE' brings one");
    return ExitCode::done;
  }
};

class ShowAsset final : public Command {
 public:
  explicit ShowAsset(CLI::App& app) { app.add_option("NAME", name_, "Its name")->required()->type_name(" "); }

  Result<ExitCode> run(Session& session) override {
    const auto asset = session.api.get(path_of({"assets", name_}));
    if (!asset) return fail(asset);
    if (print_json(session, *asset)) return ExitCode::done;
    const Facts facts{{"name", text_at(*asset, {"name"})},
                      {"size", size_text(number_at(*asset, {"size"}))},
                      {"sha256", text_at(*asset, {"sha256"})},
                      {"used by", users_text(*asset)}};
    session.console.raw(render_facts(facts, session.console.out_terminal()));
    return ExitCode::done;
  }

 private:
  std::string name_;
};

class AddAsset final : public Command {
 public:
  explicit AddAsset(CLI::App& app) {
    app.add_option("NAME", name_, "What personas and settings call it")->required()->type_name(" ");
    app.add_option("FILE", file_, "The file")->required()->type_name(" ");
    app.add_option("--reason", reason_, "Why; kept in the change log");
    wait_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    auto content = read_file(file_, static_cast<std::size_t>(protocol::max_asset_bytes));
    if (!content) return fail(content);
    const std::string hash = sha256(*content).hex();
    auto answer = session.api.upload(path_of({"assets", name_}), std::move(*content),
                                     "application/octet-stream", with_reason({{"sha256", hash}}, reason_));
    if (!answer) return fail(answer);
    return finish_write(session, std::move(*answer), "put asset " + printable(name_), wait_);
  }

 private:
  std::string name_, file_, reason_;
  WaitOptions wait_;
};

class DownloadAsset final : public Command {
 public:
  explicit DownloadAsset(CLI::App& app) {
    app.add_option("NAME", name_, "Its name")->required()->type_name(" ");
    app.add_option("FILE", file_, "Where to; without, a file of its name here")->type_name(" ");
  }

  Result<ExitCode> run(Session& session) override {
    const auto asset = session.api.get(path_of({"assets", name_}));
    if (!asset) return fail(asset);
    const auto kept = protocol::AssetFile::from_json(
        JsonObject{{"sha256", text_at(*asset, {"sha256"})}, {"size", number_at(*asset, {"size"})}});
    if (!kept) return fail(kept, name_);
    std::filesystem::path file = file_.empty() ? name_ : file_;
    std::error_code ignored;
    if (std::filesystem::is_directory(file, ignored)) file /= name_;
    if (auto came = download_asset(session.api, *kept, file); !came) return fail(came);
    if (print_json(session, *asset)) return ExitCode::done;
    session.console.line(
        fmt::format("{}: {}", printable(file.string()), size_text(static_cast<std::int64_t>(kept->size))));
    return ExitCode::done;
  }

 private:
  std::string name_, file_;
};

class RemoveAsset final : public Command {
 public:
  explicit RemoveAsset(CLI::App& app) {
    app.add_option("NAME", name_, "Its name")->required()->type_name(" ");
    app.add_option("--reason", reason_, "Why; kept in the change log");
  }

  Result<ExitCode> run(Session& session) override {
    auto answer = session.api.write(http::Method::del, path_of({"assets", name_}), Json(nullptr),
                                    with_reason({}, reason_));
    if (!answer) return fail(answer);
    return finish_write(session, std::move(*answer), "removed asset " + printable(name_));
  }

 private:
  std::string name_, reason_;
};

}  // namespace

void add_asset_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("asset", "Files that personas and settings name");
  noun.require_subcommand(1);
  add_command<AddAsset>(tree, noun, "add", "Upload a file under a name; a name that exists gets the new file")
      .footer("Example:\n  starling asset add Hey_Tars.tflite ./models/hey_tars_v3.tflite --wait");
  add_command<DownloadAsset>(tree, noun, "download",
                             "Fetch an asset's file; what was broken off goes on where it ended");
  add_command<ListAssets>(tree, noun, "list", "List assets, and what names them");
  add_command<ShowAsset>(tree, noun, "show", "Show one asset");
  add_command<RemoveAsset>(tree, noun, "remove", "Remove an asset that nothing names");
}

}  // namespace starling::cli
