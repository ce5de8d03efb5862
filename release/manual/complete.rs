//! The completions of bash, zsh and fish.

use crate::help::{self, INFORMATION, Page, Value};

/// What `pidone ctl` itself takes beside the options of its requests.
const CTL_OPTIONS: [&str; 2] = ["--control", "--help"];

/// Options in both spellings that have a value of this kind.
fn spelled(wanted: impl Fn(&Value) -> bool) -> Vec<String> {
    let options = help::options();
    let options = options.filter(|option| help::value_of(option).is_some_and(|v| wanted(&v)));
    let spelled = options.flat_map(|option| {
        let short = option.short.map(|short| format!("-{short}"));
        std::iter::once(format!("--{}", option.long)).chain(short)
    });
    spelled.collect()
}

/// `replace("@NAME@", text)` for each.
fn filled(template: &str, parts: &[(&str, String)]) -> String {
    parts
        .iter()
        .fold(template.to_owned(), |text, (name, part)| {
            text.replace(&format!("@{name}@"), part)
        })
}

/// All names of options, of `pidone` itself.
fn names() -> Vec<String> {
    let information = INFORMATION.iter().map(|(long, ..)| *long);
    let longs = help::options().map(|option| option.long).chain(information);
    longs.map(|long| format!("--{long}")).collect()
}

fn words(ctl: &Page) -> Vec<&str> {
    help::requests(ctl)
        .into_iter()
        .map(|(word, ..)| word)
        .collect()
}

pub fn bash(ctl: &Page) -> String {
    let mut cases = String::new();
    for option in help::options() {
        if let Some(Value::Words(words)) = help::value_of(option) {
            let short = option
                .short
                .map(|short| format!(" | -{short}"))
                .unwrap_or_default();
            let (long, words) = (option.long, words.join(" "));
            cases.push_str(&format!("    --{long}{short}) words='{words}' ;;\n"));
        }
    }
    let mut requests = String::new();
    for (word, _, options) in help::requests(ctl) {
        let options: Vec<_> = options.into_iter().chain(CTL_OPTIONS).collect();
        requests.push_str(&format!("      {word}) words='{}' ;;\n", options.join(" ")));
    }
    let one_of = |wanted: fn(&Value) -> bool| spelled(wanted).join(" | ");
    filled(
        BASH,
        &[
            ("CASES", cases.trim_end().to_owned()),
            ("REQUESTS", requests.trim_end().to_owned()),
            ("WORDS", words(ctl).join(" ")),
            ("CTL_OPTIONS", CTL_OPTIONS.join(" ")),
            ("OPTIONS", names().join(" ")),
            ("VALUED", one_of(|_| true)),
            ("FILES", one_of(|value| matches!(value, Value::File))),
            ("SIGNALS", one_of(|value| matches!(value, Value::Signal))),
            ("USERS", one_of(|value| matches!(value, Value::User))),
            ("OTHERS", one_of(|value| matches!(value, Value::Other))),
        ],
    )
}

const BASH: &str = r#"# bash completion for pidone; made by release/manual, from the table of options.

_pidone_ctl() {
  local request='' word words=''
  for word in "${COMP_WORDS[@]:2:COMP_CWORD-2}"; do
    case $word in
      -*) ;;
      *) [ -n "$request" ] || request=$word ;;
    esac
  done
  if [ "$previous" = --control ]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
  fi
  if [[ $current == -* ]]; then
    case $request in
@REQUESTS@
      *) words='@CTL_OPTIONS@' ;;
    esac
  elif [ -z "$request" ]; then
    words='@WORDS@'
  elif [ "$request" = scale ]; then
    words='auto'
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

_pidone() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=0 index words=''
  COMPREPLY=()
  if [ "${COMP_WORDS[1]-}" = ctl ] && [ "$COMP_CWORD" -gt 1 ]; then
    _pidone_ctl
    return
  fi
  # Where the command begins: behind the options and their values.
  for ((index = 1; index < COMP_CWORD; index++)); do
    case ${COMP_WORDS[index]} in
      --) command=$((index + 1)); break ;;
      @VALUED@)
        index=$((index + 1))
        # bash makes three words of --name=value.
        [ "${COMP_WORDS[index]-}" != = ] || index=$((index + 1))
        ;;
      -*) ;;
      *) command=$index; break ;;
    esac
  done
  if [ "$command" -gt 0 ]; then
    if declare -F _command_offset >/dev/null; then
      _command_offset "$command"
    elif [ "$command" -eq "$COMP_CWORD" ]; then
      mapfile -t COMPREPLY < <(compgen -c -- "$current")
    else
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
    return
  fi
  if [ "$current" = = ]; then
    current=
  elif [ "$previous" = = ]; then
    previous=${COMP_WORDS[COMP_CWORD-2]}
  fi
  case $previous in
@CASES@
    @FILES@)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    @SIGNALS@) words=$(compgen -A signal SIG | sed 's/^SIG//') ;;
    @USERS@)
      mapfile -t COMPREPLY < <(compgen -u -- "$current")
      return
      ;;
    @OTHERS@) return ;;
    *)
      if [[ $current == -* ]]; then
        words='@OPTIONS@'
      else
        [ "$COMP_CWORD" -ne 1 ] || mapfile -t COMPREPLY < <(compgen -W ctl -- "$current")
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -c -- "$current")
        return
      fi
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -o filenames -o bashdefault -F _pidone pidone
"#;

/// In the brackets and colons of `_arguments`.
fn zsh_text(text: &str) -> String {
    let text = text.replace('\'', "'\\''");
    text.replace('[', "\\[")
        .replace(']', "\\]")
        .replace(':', "\\:")
}

pub fn zsh(ctl: &Page) -> String {
    let mut options = String::new();
    for option in help::options() {
        let text = option.help.join(" ");
        let text = zsh_text(help::summary(&text));
        let action = match help::value_of(option) {
            None => String::new(),
            Some(value) => {
                let action = match value {
                    Value::Words(words) => format!("({})", words.join(" ")),
                    Value::File => "_files".to_owned(),
                    Value::Signal => "_signals".to_owned(),
                    Value::User => "_users".to_owned(),
                    Value::Other => " ".to_owned(),
                };
                format!(":{}:{action}", zsh_text(option.value.unwrap_or_default()))
            }
        };
        let long = option.long;
        let (plus, equals) = if option.value.is_some() {
            ("+", "=")
        } else {
            ("", "")
        };
        let spec = match (option.short, option.repeatable) {
            (Some(short), true) => format!("'*'{{-{short}{plus},--{long}{equals}}}"),
            (Some(short), false) => {
                format!("'(-{short} --{long})'{{-{short}{plus},--{long}{equals}}}")
            }
            (None, true) => format!("'*'--{long}{equals}"),
            (None, false) => format!("--{long}{equals}"),
        };
        options.push_str(&format!("    {spec}'[{text}]{action}'\n"));
    }
    for (long, short, text) in INFORMATION {
        let text = help::summary(text);
        options.push_str(&format!("    '(- *)'{{-{short},--{long}}}'[{text}]'\n"));
    }
    let (mut requests, mut cases) = (String::new(), String::new());
    for (word, text, own) in help::requests(ctl) {
        requests.push_str(&format!("    '{word}:{}'\n", zsh_text(text)));
        if !own.is_empty() {
            cases.push_str(&format!("    {word}) specs+=({}) ;;\n", own.join(" ")));
        }
    }
    filled(
        ZSH,
        &[
            ("OPTIONS", options.trim_end().to_owned()),
            ("REQUESTS", requests.trim_end().to_owned()),
            ("CASES", cases.trim_end().to_owned()),
        ],
    )
}

const ZSH: &str = r#"#compdef pidone
# zsh completion for pidone; made by release/manual, from the table of options.

_pidone_ctl() {
  local -a requests specs
  requests=(
@REQUESTS@
  )
  specs=('--control=[Where its socket is]:PATH:_files' '(- *)--help[The requests]')
  case ${words[2]} in
@CASES@
    scale) specs+=('2:N:(auto)') ;;
  esac
  _arguments $specs '1:request:{ _describe request requests }'
}

_pidone() {
  local -a options
  if [[ ${words[2]} == ctl && $CURRENT -gt 2 ]]; then
    shift words
    (( CURRENT-- ))
    _pidone_ctl
    return
  fi
  options=(
@OPTIONS@
  )
  _arguments -S -s $options '1:command:{ _alternative "ctl\:request\:(ctl)" "commands\:command\:_command_names -e" }' \
    '*::argument:_normal'
}

_pidone "$@"
"#;

fn fish_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

pub fn fish(ctl: &Page) -> String {
    let mut out = String::new();
    for option in help::options() {
        let short = option
            .short
            .map(|short| format!(" -s {short}"))
            .unwrap_or_default();
        let value = match help::value_of(option) {
            None => String::new(),
            Some(Value::Words(words)) => format!(" -x -a '{}'", words.join(" ")),
            Some(Value::File) => " -r -F".to_owned(),
            Some(Value::Signal) => " -x -a '(__pidone_signals)'".to_owned(),
            Some(Value::User) => " -x -a '(__fish_complete_users)'".to_owned(),
            Some(Value::Other) => " -x".to_owned(),
        };
        let text = option.help.join(" ");
        let text = fish_text(help::summary(&text));
        let long = option.long;
        out.push_str(&format!(
            "complete -c pidone -n __pidone_options{short} -l {long}{value} -d {text}\n"
        ));
    }
    for (long, short, text) in INFORMATION {
        let text = fish_text(help::summary(text));
        out.push_str(&format!(
            "complete -c pidone -n __pidone_options -s {short} -l {long} -d {text}\n"
        ));
    }
    for (word, text, own) in help::requests(ctl) {
        let text = fish_text(text);
        out.push_str(&format!("complete -c pidone -n '__pidone_ctl; and not __pidone_request' -f -a {word} -d {text}\n"));
        for option in own {
            let long = option.trim_start_matches('-');
            let value = if long == "count" { " -x" } else { "" };
            out.push_str(&format!(
                "complete -c pidone -n '__pidone_request {word}' -f -l {long}{value}\n"
            ));
        }
    }
    filled(
        FISH,
        &[
            ("VALUED", spelled(|_| true).join(" ")),
            ("WORDS", words(ctl).join(" ")),
            ("COMPLETE", out.trim_end().to_owned()),
        ],
    )
}

const FISH: &str = r"# fish completion for pidone; made by release/manual, from the table of options.

function __pidone_ctl
    set -l words (commandline -opc)
    test (count $words) -gt 1; and test $words[2] = ctl
end

# Whether a request has been given: any, or the one that is named.
function __pidone_request
    __pidone_ctl; or return 1
    set -l words (commandline -opc)
    set -l wanted @WORDS@
    test (count $argv) -eq 0; or set wanted $argv
    for word in $words[3..]
        contains -- $word $wanted; and return 0
    end
    return 1
end

# Prints where the command begins, behind the options and their values; fails if it has not begun.
function __pidone_command
    set -l words (commandline -opc)
    set -l index 2
    while test $index -le (count $words)
        switch $words[$index]
            case --
                echo (math $index + 1)
                return 0
            case '-*'
                contains -- $words[$index] @VALUED@; and set index (math $index + 1)
            case '*'
                echo $index
                return 0
        end
        set index (math $index + 1)
    end
    return 1
end

function __pidone_options
    not __pidone_ctl; and not __pidone_command >/dev/null
end

# The command's own completions.
function __pidone_subcommand
    set -l words (commandline -opc) (commandline -ct)
    set -l begin (__pidone_command; or count $words)
    complete -C (string join ' ' -- (string escape -- $words[$begin..-2]) $words[-1])
end

function __pidone_signals
    kill -l | string split ' ' -n | string replace -r '^[0-9]+\)$' '' -- | string match -r '^[A-Z].*'
end

complete -c pidone -f
complete -c pidone -n 'not __pidone_ctl' -x -a '(__pidone_subcommand)'
complete -c pidone -n 'not __pidone_ctl; and test (count (commandline -opc)) -eq 1' -f -a ctl -d 'Control a running pidone'
complete -c pidone -n '__pidone_request scale' -f -a auto
complete -c pidone -n __pidone_ctl -r -l control -d 'Where its socket is'
complete -c pidone -n __pidone_ctl -f -l help -d 'The requests'
@COMPLETE@
";
