# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_meetd_global_optspecs
    string join \n config= socket= set= h/help V/version
end

function __fish_meetd_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_meetd_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_meetd_using_subcommand
    set -l cmd (__fish_meetd_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c meetd -n "__fish_meetd_needs_command" -l config -d 'The main configuration file; conf.d/*.toml beside it is read too [default: /etc/meetd/meetd.toml]' -r -F
complete -c meetd -n "__fish_meetd_needs_command" -l socket -d 'The control socket of the daemon [default: $RUNTIME_DIRECTORY/control.sock or /run/meetd/control.sock]' -r -F
complete -c meetd -n "__fish_meetd_needs_command" -l set -d 'Sets one key over all files and the environment; lists split at commas' -r
complete -c meetd -n "__fish_meetd_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c meetd -n "__fish_meetd_needs_command" -s V -l version -d 'Print version'
complete -c meetd -n "__fish_meetd_needs_command" -f -a "run" -d 'Run the daemon in the foreground, as its systemd unit does'
complete -c meetd -n "__fish_meetd_needs_command" -f -a "check" -d 'Check the configuration as `run` would read it'
complete -c meetd -n "__fish_meetd_needs_command" -f -a "config" -d 'Show the effective configuration and where each value comes from'
complete -c meetd -n "__fish_meetd_needs_command" -f -a "doctor" -d 'Try what a call needs, and say what to do about the rest'
complete -c meetd -n "__fish_meetd_needs_command" -f -a "status" -d 'Show what the running daemon does: bridge, call, last call, last error'
complete -c meetd -n "__fish_meetd_needs_command" -f -a "join" -d 'Join a meeting, as the JoinMeeting directive does'
complete -c meetd -n "__fish_meetd_needs_command" -f -a "end" -d 'End the meeting; succeeds also when there is none'
complete -c meetd -n "__fish_meetd_needs_command" -f -a "hold" -d 'Put the call on hold (the meeting hears nothing of the room), or take it off'
complete -c meetd -n "__fish_meetd_needs_command" -f -a "mute" -d 'Mute the microphone towards the meeting until `mute off` or the end of the call'
complete -c meetd -n "__fish_meetd_needs_command" -f -a "dtmf" -d 'Press digits during a meeting, as the SendDTMF message does'
complete -c meetd -n "__fish_meetd_needs_command" -f -a "volume" -d 'Set the loudspeaker\'s volume; it is kept over restarts'
complete -c meetd -n "__fish_meetd_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meetd -n "__fish_meetd_using_subcommand run" -l set -d 'Sets one key over all files and the environment; lists split at commas' -r
complete -c meetd -n "__fish_meetd_using_subcommand run" -l config -d 'The main configuration file; conf.d/*.toml beside it is read too [default: /etc/meetd/meetd.toml]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand run" -l socket -d 'The control socket of the daemon [default: $RUNTIME_DIRECTORY/control.sock or /run/meetd/control.sock]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand run" -s h -l help -d 'Print help'
complete -c meetd -n "__fish_meetd_using_subcommand check" -l set -d 'Sets one key over all files and the environment; lists split at commas' -r
complete -c meetd -n "__fish_meetd_using_subcommand check" -l config -d 'The main configuration file; conf.d/*.toml beside it is read too [default: /etc/meetd/meetd.toml]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand check" -l socket -d 'The control socket of the daemon [default: $RUNTIME_DIRECTORY/control.sock or /run/meetd/control.sock]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c meetd -n "__fish_meetd_using_subcommand config" -l set -d 'Sets one key over all files and the environment; lists split at commas' -r
complete -c meetd -n "__fish_meetd_using_subcommand config" -l config -d 'The main configuration file; conf.d/*.toml beside it is read too [default: /etc/meetd/meetd.toml]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand config" -l socket -d 'The control socket of the daemon [default: $RUNTIME_DIRECTORY/control.sock or /run/meetd/control.sock]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c meetd -n "__fish_meetd_using_subcommand doctor" -l set -d 'Sets one key over all files and the environment; lists split at commas' -r
complete -c meetd -n "__fish_meetd_using_subcommand doctor" -l config -d 'The main configuration file; conf.d/*.toml beside it is read too [default: /etc/meetd/meetd.toml]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand doctor" -l socket -d 'The control socket of the daemon [default: $RUNTIME_DIRECTORY/control.sock or /run/meetd/control.sock]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c meetd -n "__fish_meetd_using_subcommand status" -l config -d 'The main configuration file; conf.d/*.toml beside it is read too [default: /etc/meetd/meetd.toml]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand status" -l socket -d 'The control socket of the daemon [default: $RUNTIME_DIRECTORY/control.sock or /run/meetd/control.sock]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand status" -l json -d 'One JSON object, for programs'
complete -c meetd -n "__fish_meetd_using_subcommand status" -l watch -d 'Follow it: a live screen on a terminal, with --json a line whenever something changes'
complete -c meetd -n "__fish_meetd_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c meetd -n "__fish_meetd_using_subcommand join" -l endpoint -d 'Whom to call: HOST, HOST:PORT, USER@HOST, a sip:, sips: or h323: URI, or tel:+NUMBER' -r
complete -c meetd -n "__fish_meetd_using_subcommand join" -l protocol -d 'SIP, SIPS or H323' -r
complete -c meetd -n "__fish_meetd_using_subcommand join" -l id -d 'The meeting\'s id' -r
complete -c meetd -n "__fish_meetd_using_subcommand join" -l provider -d 'The provider, whose templates say what is dialled' -r
complete -c meetd -n "__fish_meetd_using_subcommand join" -l config -d 'The main configuration file; conf.d/*.toml beside it is read too [default: /etc/meetd/meetd.toml]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand join" -l socket -d 'The control socket of the daemon [default: $RUNTIME_DIRECTORY/control.sock or /run/meetd/control.sock]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand join" -l pin-stdin -d 'Read the meeting\'s PIN from standard input, where no other user sees it'
complete -c meetd -n "__fish_meetd_using_subcommand join" -l dry-run -d 'Only say what would be dialled and why it may'
complete -c meetd -n "__fish_meetd_using_subcommand join" -s h -l help -d 'Print help'
complete -c meetd -n "__fish_meetd_using_subcommand end" -l config -d 'The main configuration file; conf.d/*.toml beside it is read too [default: /etc/meetd/meetd.toml]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand end" -l socket -d 'The control socket of the daemon [default: $RUNTIME_DIRECTORY/control.sock or /run/meetd/control.sock]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand end" -s h -l help -d 'Print help'
complete -c meetd -n "__fish_meetd_using_subcommand hold" -l config -d 'The main configuration file; conf.d/*.toml beside it is read too [default: /etc/meetd/meetd.toml]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand hold" -l socket -d 'The control socket of the daemon [default: $RUNTIME_DIRECTORY/control.sock or /run/meetd/control.sock]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand hold" -s h -l help -d 'Print help'
complete -c meetd -n "__fish_meetd_using_subcommand mute" -l config -d 'The main configuration file; conf.d/*.toml beside it is read too [default: /etc/meetd/meetd.toml]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand mute" -l socket -d 'The control socket of the daemon [default: $RUNTIME_DIRECTORY/control.sock or /run/meetd/control.sock]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand mute" -s h -l help -d 'Print help'
complete -c meetd -n "__fish_meetd_using_subcommand dtmf" -l config -d 'The main configuration file; conf.d/*.toml beside it is read too [default: /etc/meetd/meetd.toml]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand dtmf" -l socket -d 'The control socket of the daemon [default: $RUNTIME_DIRECTORY/control.sock or /run/meetd/control.sock]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand dtmf" -s h -l help -d 'Print help'
complete -c meetd -n "__fish_meetd_using_subcommand volume" -l config -d 'The main configuration file; conf.d/*.toml beside it is read too [default: /etc/meetd/meetd.toml]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand volume" -l socket -d 'The control socket of the daemon [default: $RUNTIME_DIRECTORY/control.sock or /run/meetd/control.sock]' -r -F
complete -c meetd -n "__fish_meetd_using_subcommand volume" -s h -l help -d 'Print help'
complete -c meetd -n "__fish_meetd_using_subcommand help; and not __fish_seen_subcommand_from run check config doctor status join end hold mute dtmf volume help" -f -a "run" -d 'Run the daemon in the foreground, as its systemd unit does'
complete -c meetd -n "__fish_meetd_using_subcommand help; and not __fish_seen_subcommand_from run check config doctor status join end hold mute dtmf volume help" -f -a "check" -d 'Check the configuration as `run` would read it'
complete -c meetd -n "__fish_meetd_using_subcommand help; and not __fish_seen_subcommand_from run check config doctor status join end hold mute dtmf volume help" -f -a "config" -d 'Show the effective configuration and where each value comes from'
complete -c meetd -n "__fish_meetd_using_subcommand help; and not __fish_seen_subcommand_from run check config doctor status join end hold mute dtmf volume help" -f -a "doctor" -d 'Try what a call needs, and say what to do about the rest'
complete -c meetd -n "__fish_meetd_using_subcommand help; and not __fish_seen_subcommand_from run check config doctor status join end hold mute dtmf volume help" -f -a "status" -d 'Show what the running daemon does: bridge, call, last call, last error'
complete -c meetd -n "__fish_meetd_using_subcommand help; and not __fish_seen_subcommand_from run check config doctor status join end hold mute dtmf volume help" -f -a "join" -d 'Join a meeting, as the JoinMeeting directive does'
complete -c meetd -n "__fish_meetd_using_subcommand help; and not __fish_seen_subcommand_from run check config doctor status join end hold mute dtmf volume help" -f -a "end" -d 'End the meeting; succeeds also when there is none'
complete -c meetd -n "__fish_meetd_using_subcommand help; and not __fish_seen_subcommand_from run check config doctor status join end hold mute dtmf volume help" -f -a "hold" -d 'Put the call on hold (the meeting hears nothing of the room), or take it off'
complete -c meetd -n "__fish_meetd_using_subcommand help; and not __fish_seen_subcommand_from run check config doctor status join end hold mute dtmf volume help" -f -a "mute" -d 'Mute the microphone towards the meeting until `mute off` or the end of the call'
complete -c meetd -n "__fish_meetd_using_subcommand help; and not __fish_seen_subcommand_from run check config doctor status join end hold mute dtmf volume help" -f -a "dtmf" -d 'Press digits during a meeting, as the SendDTMF message does'
complete -c meetd -n "__fish_meetd_using_subcommand help; and not __fish_seen_subcommand_from run check config doctor status join end hold mute dtmf volume help" -f -a "volume" -d 'Set the loudspeaker\'s volume; it is kept over restarts'
complete -c meetd -n "__fish_meetd_using_subcommand help; and not __fish_seen_subcommand_from run check config doctor status join end hold mute dtmf volume help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
