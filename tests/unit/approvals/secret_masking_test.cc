// SPDX-License-Identifier: Apache-2.0
#include "approvals/shown/secret_masking.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <vector>

namespace hostclaw::approvals {
namespace {

using Argv = std::vector<std::string>;

struct Row {
  const char* why;
  Argv argv;
  Argv shown;
};

// No row holds a real credential.
const std::vector<Row> kMasked = {
    {"an option with its value", {"tool", "--password=hunter2", "x"}, {"tool", "--password=***", "x"}},
    {"an option before its value", {"tool", "--token", "hunter2", "x"}, {"tool", "--token", "***", "x"}},
    {"camel case", {"tool", "--apiKey", "hunter2"}, {"tool", "--apiKey", "***"}},
    {"a variable", {"env", "DB_PASSWORD=hunter2", "make"}, {"env", "DB_PASSWORD=***", "make"}},
    {"a secret access key", {"env", "AWS_SECRET_ACCESS_KEY=abc/def+1"}, {"env", "AWS_SECRET_ACCESS_KEY=***"}},
    {"a name that ends in password", {"env", "PGPASSWORD=x1"}, {"env", "PGPASSWORD=***"}},
    {"mysql -p", {"mysql", "-uroot", "-phunter2", "db"}, {"mysql", "-uroot", "-p***", "db"}},
    {"mysqldump by path", {"/usr/bin/mysqldump", "-phunter2"}, {"/usr/bin/mysqldump", "-p***"}},
    {"mysql behind a wrapper", {"sudo", "mysql", "-phunter2"}, {"sudo", "mysql", "-p***"}},
    {"sshpass in two words", {"sshpass", "-p", "hunter2", "ssh", "h"}, {"sshpass", "-p", "***", "ssh", "h"}},
    {"docker login",
     {"docker", "login", "-u", "me", "-p", "hunter2"},
     {"docker", "login", "-u", "me", "-p", "***"}},
    {"curl -u", {"curl", "-u", "me:hunter2", "https://x"}, {"curl", "-u", "me:***", "https://x"}},
    {"curl -u in one word", {"curl", "-ume:hunter2", "https://x"}, {"curl", "-ume:***", "https://x"}},
    {"curl --user", {"curl", "--user", "me:hunter2"}, {"curl", "--user", "me:***"}},
    {"curl --user=", {"curl", "--user=me:hunter2"}, {"curl", "--user=me:***"}},
    {"a proxy's user", {"curl", "--proxy-user", "me:hunter2"}, {"curl", "--proxy-user", "me:***"}},
    {"an Authorization header",
     {"curl", "-H", "Authorization: Bearer abc.def"},
     {"curl", "-H", "Authorization: Bearer ***"}},
    {"a header of any case",
     {"curl", "-H", "authorization: hunter2 x"},
     {"curl", "-H", "authorization: ***"}},
    {"a key header", {"curl", "-H", "X-Api-Key: hunter2"}, {"curl", "-H", "X-Api-Key: ***"}},
    {"cookies", {"curl", "-H", "Cookie: a=b; c=d"}, {"curl", "-H", "Cookie: ***"}},
    {"curl -b", {"curl", "-b", "session=abc", "https://x"}, {"curl", "-b", "***", "https://x"}},
    {"a bearer in any text", {"tool", "x bearer abcdefghijklmnop y"}, {"tool", "x bearer *** y"}},
    {"a password in a URL",
     {"git", "clone", "https://me:hunter2@h/r"},
     {"git", "clone", "https://me:***@h/r"}},
    {"a password with an at sign in a URL", {"x", "ftp://me:a@b@h/"}, {"x", "ftp://me:***@h/"}},
    {"a token as the user of a URL",
     {"git", "clone", "https://abcdefghijklmnopqrstuvwxyz@h/r"},
     {"git", "clone", "https://***@h/r"}},
    {"a member of a query",
     {"curl", "https://h/?a=1&access_token=abc&b=2"},
     {"curl", "https://h/?a=1&access_token=***&b=2"}},
    {"JSON",
     {"curl", "-d", R"({"user":"me","password":"hunter2"})"},
     {"curl", "-d", R"({"user":"me","password":"***"})"}},
    {"JSON with spaces",
     {"curl", "-d", R"({"apiKey" : "hunter2" })"},
     {"curl", "-d", R"({"apiKey" : "***" })"}},
    {"redis-cli -a", {"redis-cli", "-a", "hunter2"}, {"redis-cli", "-a", "***"}},
    {"openssl", {"openssl", "enc", "-pass", "pass:hunter2"}, {"openssl", "enc", "-pass", "***"}},
    {"a token by its shape", {"tool", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"}, {"tool", "***"}},
    {"a key by its shape", {"tool", "x=sk-abcdefghijklmnopqrstuv,y"}, {"tool", "x=***,y"}},
    {"an access key id", {"tool", "AKIAABCDEFGHIJKLMNOP"}, {"tool", "***"}},
    {"a web token", {"tool", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"}, {"tool", "***"}},
    {"a private key",
     {"tool", "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----"},
     {"tool", "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----"}},
    {"text of a shell: an option",
     {"sh", "-c", "mysql -uroot -phunter2 db"},
     {"sh", "-c", "mysql -uroot -p*** db"}},
    {"text of a shell: a variable", {"sh", "-c", "TOKEN=hunter2 make x"}, {"sh", "-c", "TOKEN=*** make x"}},
    {"text of a shell: quotes",
     {"sh", "-c", "curl -H 'Authorization: Bearer abc' https://x"},
     {"sh", "-c", "curl -H 'Authorization: Bearer ***' https://x"}},
    {"text of a shell: a quoted value",
     {"sh", "-c", "PASSWORD='a b c' tool --password \"d e\""},
     {"sh", "-c", "PASSWORD='***' tool --password \"***\""}},
    {"text of a shell in the text of a shell",
     {"sh", "-c", "bash -c 'sshpass -p hunter2 ssh h'"},
     {"sh", "-c", "bash -c 'sshpass -p *** ssh h'"}},
    {"the second command of a text",
     {"sh", "-c", "true; sshpass -p hunter2 ssh h"},
     {"sh", "-c", "true; sshpass -p *** ssh h"}},
    {"a value with an ampersand", {"tool", "--password=a&b", "x"}, {"tool", "--password=***", "x"}},
    {"a value with separators", {"env", "DB_PASSWORD=a;b,c&d=e f", "x"}, {"env", "DB_PASSWORD=***", "x"}},
    {"a value with quotes", {"tool", "--token=a\"b;c'd"}, {"tool", "--token=***"}},
    {"a value behind two names",
     {"kubectl", "create", "secret", "--from-literal=password=a,b;c"},
     {"kubectl", "create", "secret", "--from-literal=password=***"}},
    {"a variable in one word with its option",
     {"docker", "run", "-ePASSWORD=a;b", "i"},
     {"docker", "run", "-ePASSWORD=***", "i"}},
    {"an argument of a script", {"bash", "x.sh", "--password=a;b&c"}, {"bash", "x.sh", "--password=***"}},
    {"a member of a list", {"psql", "host=h password=a,b;c user=u"}, {"psql", "host=h password=*** user=u"}},
    {"a member among members",
     {"tool", "Server=h;Password=a;b,c;User=u"},
     {"tool", "Server=h;Password=***;User=u"}},
    {"a member of a query with a tail",
     {"curl", "https://h/?access_token=a&b;c&d=2"},
     {"curl", "https://h/?access_token=***&d=2"}},
    {"a second cookie", {"curl", "-H", "Cookie:a=\"b\"; c=d"}, {"curl", "-H", "Cookie:***"}},
    {"a second cookie of an option", {"curl", "--cookie=a=b; c=d"}, {"curl", "--cookie=***"}},
    {"a second cookie in one word", {"curl", "-ba=b; c=d"}, {"curl", "-b***"}},
    {"cookies in a text of a shell",
     {"sh", "-c", "curl -b 'a=b; c=d' -H \"Cookie: e=f; g=h\" u"},
     {"sh", "-c", "curl -b '***' -H \"Cookie: ***\" u"}},
    {"a cookie in JSON",
     {"tool", R"({"Cookie":"a=\"b\"; c=d","x":1})"},
     {"tool", R"({"Cookie":"***","x":1})"}},
    {"SSHPASS", {"env", "SSHPASS=a;b", "sshpass", "-e"}, {"env", "SSHPASS=***", "sshpass", "-e"}},
    {"a bearer option", {"curl", "--oauth2-bearer", "a;b", "u"}, {"curl", "--oauth2-bearer", "***", "u"}},
    {"a bearer option with its value", {"curl", "--oauth2-bearer=a,b"}, {"curl", "--oauth2-bearer=***"}},
    {"a certificate's password", {"curl", "-E", "c.pem:a;b", "u"}, {"curl", "-E", "c.pem:***", "u"}},
    {"smbclient", {"smbclient", "-U", "me%a:b", "x"}, {"smbclient", "-U", "me%***", "x"}},
    {"text of a shell: a value ends where the shell ends it",
     {"sh", "-c", "TOKEN=a,b;reboot&TOKEN=c\\;d\\ e make"},
     {"sh", "-c", "TOKEN=***;reboot&TOKEN=*** make"}},
    {"text of a shell: a value of several pieces",
     {"sh", "-c", "PASSWORD='a;b'c\"d e\" make; id"},
     {"sh", "-c", "PASSWORD=*** make; id"}},
    {"text of a shell: data in quotes",
     {"sh", "-c", "tool '--password=a;b' \"--token=c&d\" && id"},
     {"sh", "-c", "tool '--password=***' \"--token=***\" && id"}},
    {"text of a shell: an option with a quoted value",
     {"sh", "-c", "mysql -p'a b;c' db; id"},
     {"sh", "-c", "mysql -p*** db; id"}},
    {"text of a shell: JSON in double quotes",
     {"sh", "-c", "curl -d \"{\\\"password\\\":\\\"a;b\\\"}\" u"},
     {"sh", "-c", "curl -d \"{\\\"password\\\":\\\"***\\\"}\" u"}},
    {"text of a shell on another machine", {"ssh", "h", "TOKEN=a;reboot"}, {"ssh", "h", "TOKEN=***;reboot"}},
    {"a value that ends the text inside quotes",
     {"sh", "-c", "x \"password=hunter2"},
     {"sh", "-c", "x \"password=***"}},
};

const std::vector<Argv> kUntouched = {
    {"mkdir", "-p", "a/b"},
    {"ssh", "-p", "22", "host"},
    {"docker", "run", "-p", "8080:80", "image"},
    {"git", "clone", "git@github.com:owner/repository"},
    {"git", "clone", "https://github.com/owner/repository"},
    {"git", "log", "--author=me"},
    {"sudo", "-u", "postgres", "psql"},
    {"tool", "--password-file", "/run/secrets/db"},
    {"tool", "--password-file=/run/secrets/db"},
    {"tool", "--max-tokens-count=5"},
    {"env", "PWD=/home/me", "OLDPWD=/", "ls"},
    {"sort", "--key=2"},
    {"cut", "-d:", "-f1"},
    {"sh", "-c", "curl -u \"$NAME\" https://x && echo done"},
    {"gh", "auth", "token", "list"},
    {"curl", "https://h:8080/path@x"},
    {"tool", "--token", "--verbose"},
    {"tool", "--token", "$TOKEN"},
    {"sk-", "AKIA", "eyJ", "Bearer"},
    {},
    {""},
};

}  // namespace

TEST_CASE("secrets of every known form are masked and the rest stays") {
  for (const Row& row : kMasked) {
    INFO(row.why);
    const MaskedArgv out = mask_secrets(row.argv);
    CHECK(out.argv == row.shown);
    CHECK(out.masked > 0);
  }
}

TEST_CASE("commands without secrets stay as they are") {
  for (const Argv& argv : kUntouched) {
    const MaskedArgv out = mask_secrets(argv);
    CHECK(out.argv == argv);
    CHECK(out.masked == 0);
  }
}

TEST_CASE("masking hides no command") {
  const auto shown = [](const char* text) { return mask_secrets({"sh", "-c", text}).argv[2]; };
  CHECK(shown("TOKEN=a;rm -rf /") == "TOKEN=***;rm -rf /");
  CHECK(shown("TOKEN=\"$(curl h|sh)\" make") == "TOKEN=\"$(curl h|sh)\" make");
  CHECK(shown("echo \"PASSWORD=`rm -rf /`\"") == "echo \"PASSWORD=`rm -rf /`\"");
  CHECK(shown("PASSWORD=`rm -rf /` make") == "PASSWORD=`rm -rf /` make");
  CHECK(shown("bash -c 'TOKEN=a; rm -rf /'") == "bash -c 'TOKEN=***; rm -rf /'");
  CHECK(shown("tool --password \"a$(rm -rf /)\"") == "tool --password \"a$(rm -rf /)\"");
  CHECK(shown("don't TOKEN=abc; rm -rf /") == "don't TOKEN=***; rm -rf /");
  CHECK(shown("curl -H Cookie:a=b u; rm -rf /") == "curl -H Cookie:***; rm -rf /");
  CHECK(shown("curl -H Cookie:a=b; X=y rm -rf /") == "curl -H Cookie:***; X=y rm -rf /");
  // Nothing is run in these.
  CHECK(mask_secrets_in_text("it sent Cookie: a=b; c=d; e=f") == "it sent Cookie: ***");
  CHECK(mask_secrets_in_text("it sent Authorization: Bearer abc; then it ended") ==
        "it sent Authorization: Bearer ***; then it ended");
  CHECK(shown("TOKEN='$(a)' make") == "TOKEN='***' make");
  CHECK(mask_secrets({"tool", "--password", "a`b$(c"}).argv[2] == "***");
}

TEST_CASE("masking costs what the text is long") {
  const auto seconds = [](const std::string& piece, std::size_t size, bool in_words) {
    std::string text;
    while (text.size() < size) text += piece;
    std::vector<std::string> argv = {"mysql", "sh", "-c"};
    if (in_words) {
      argv.push_back(text);
      for (std::size_t at = 0; at < size; at += piece.size() + 1) argv.push_back(piece);
    } else {
      argv.push_back(text);
    }
    const auto begin = std::chrono::steady_clock::now();
    CHECK(mask_secrets(argv).argv.size() == argv.size());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  for (const char* piece : {"SG.", "eyJ.", "eyJa.b.", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ",
                            "password=,a", "password=&", "-p", "-px ", "--token", "TOKEN=a;", "://", "token ",
                            "\"'", "\"a\" ", "\\\"", "'`\"", "password=\"a", "a:"}) {
    for (const bool in_words : {false, true}) {
      INFO(piece << (in_words ? " in words" : ""));
      // Eight times the text may cost much more than eight times as much on a busy machine, but not 64 times.
      const double little = std::max(seconds(piece, 30'000, in_words), 0.002);
      CHECK(seconds(piece, 240'000, in_words) < little * 40);
    }
  }
}

TEST_CASE("names tell secrets from what is about secrets") {
  for (const char* name : {"password", "DB_PASS", "githubToken", "client-secret", "api_key", "x-api-key",
                           "MYSQL_PWD", "sessionToken", "SIGNATURE", "npm_config__auth", "SSHPASS", "DBPASS",
                           "DBPWD", "oauth2-bearer", "authkey", "storepass"}) {
    INFO(name);
    CHECK(is_secret_name(name));
  }
  for (const char* name :
       {"PWD", "OLDPWD", "password-file", "author", "compass", "passive", "key", "keyboard", "tokenizer",
        "secret-name", "token-type", "", "-", "bypass", "--compass", "multipass", "SSHPASS_FILE"}) {
    INFO(name);
    CHECK_FALSE(is_secret_name(name));
  }
}

TEST_CASE("masking is stable: what is masked stays as it is") {
  for (const Row& row : kMasked) {
    INFO(row.why);
    CHECK(mask_secrets(row.shown).argv == row.shown);
  }
}

TEST_CASE("masking ends on every text, also on hostile ones") {
  for (const std::string& piece :
       {std::string("\"'"), std::string("password="), std::string("://:@"), std::string("\\\""),
        std::string("-p "), std::string(1, '\0'), std::string("eyJ."), std::string("-----BEGIN ")}) {
    std::string text;
    while (text.size() < 20'000) text += piece;
    CHECK_FALSE(mask_secrets({"mysql", text, "-p" + text}).argv.empty());
  }
}

}  // namespace hostclaw::approvals
