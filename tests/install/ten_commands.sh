#!/bin/bash
# From installed packages to the first alert at the hub, as an installer types it: at most ten commands and
# three minutes. Run as root on a machine with hub and box, with a camera in reach.
#
#   ten_commands.sh RTSP-URL USER PASSWORD-FILE
#
# What is typed stands after each `types`; the rest waits and counts. BY_HAND=1: no service starts the agent, so
# that is typed as well. TRANSCRIPTS=FOLDER: where what each command printed goes, one file each.
set -uo pipefail

url=$1 user=$2 password=$3
most_commands=10 most_seconds=180
typed=0 begun=$EPOCHSECONDS agent=
transcripts=${TRANSCRIPTS:-$(mktemp -d)}
trap '[ -z "$agent" ] || kill "$agent" 2>/dev/null; wait' EXIT

seconds() { echo $((EPOCHSECONDS - begun)); }
fail() { printf '\nFAILED after %s s, %s commands: %s\n' "$(seconds)" "$typed" "$1"; exit 1; }
show() {
  local word line=
  for word in "$@"; do
    case $word in *' '*) line+=" \"$word\"" ;; *) line+=" $word" ;; esac
  done
  typed=$((typed + 1))
  said=$transcripts/$typed.txt
  printf '\n[%s, %s s] #%s\n' "$typed" "$(seconds)" "$line"
  printf '#%s\n' "$line" > "$said"
}
types() {
  show "$@"
  "$@" 2>&1 | tee -a "$said" || fail "$1 $2 ended with $?"
}

# One request to the hub's API, as the wall makes it: METHOD PATH [BODY].
cookie=
asks() {
  exec 3<>"/dev/tcp/127.0.0.1/$wall" || return 1
  printf '%s /api/v1%s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nOrigin: http://127.0.0.1:%s\r\nCookie: %s\r\nContent-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' \
    "$1" "$2" "$wall" "$wall" "$cookie" "${#3}" "$3" >&3
  cat <&3
  exec 3>&-
}

address=${url#rtsp://} address=${address%%/*}
hub=${HUB:-https://127.0.0.1:8443}

types central-hub token create --site market --agent box-1 --name "East market" --file box-1.token
types edge-agent provision --hub "$hub" --token-file box-1.token
types edge-agent discover --network "${address%:*}/32" --rtsp-ports "${address#*:}"
types edge-agent camera add "$url" --user "$user" --password-file "$password" --name 东门 \
  --line "road:I3-K7" --zone "crossing:G4,K4,K7,G7" --still gate.jpg --yes
if [ -n "${BY_HAND:-}" ]; then
  show edge-agent run '&'
  edge-agent run 2> agent.log &
  agent=$!
  until grep -q 'linked to the hub' agent.log; do
    kill -0 "$agent" && [ "$(seconds)" -lt "$most_seconds" ] || fail "the agent does not come up"
    sleep 0.1
  done
fi
types edge-agent acceptance
types edge-agent doctor
types central-hub user login-link

# What the wall shows whoever opens that link: the first alert that nobody asked for.
link=$(grep -o 'http://[^ ]*' "$said") wall=${link#http://127.0.0.1:} wall=${wall%%/*}
cookie=$(asks POST /session "{\"token\":\"${link##*#}\"}" | grep -i '^set-cookie:' | sed 's/^[^ ]* //; s/;.*//' | paste -sd ';')
[ -n "$cookie" ] || fail "the login link does not let in"
typed=$((typed + 1)) # opening the link
until alerts=$(asks GET '/alerts?limit=200' '') && grep -q '"test":false' <<< "$alerts"; do
  [ "$(seconds)" -lt "$most_seconds" ] || fail "no alert at the hub, which says: ${alerts:0:2000}"
  sleep 0.5
done

printf '\nthe first alert is at the hub after %s s and %s commands\n' "$(seconds)" "$typed"
[ "$typed" -le "$most_commands" ] || fail "more than $most_commands commands"
[ "$(seconds)" -le "$most_seconds" ] || fail "more than $most_seconds s"
