#!/bin/bash
# Brings a bare Debian 12 machine to where Signalbox builds, runs and is tested.
#
#   setup/setup.sh [--test] [--package] [--from FOLDER]
#
# Installs only what is missing, says what it does, and does nothing when all is there.
# --test adds what only the tests need, --package what the packages and their test need; --from takes the models from a folder (no network).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
cache=${SIGNALBOX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/signalbox}
clip_sha=45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf
purposes="build run"
models_from=()
current="setup"
started=$SECONDS

while [ $# -gt 0 ]; do
  case $1 in
    --test) purposes="$purposes test" ;;
    --package) purposes="$purposes package" ;;
    --from) [ $# -ge 2 ] || { echo "setup: --from needs a folder" >&2; exit 2; }; models_from=(--from "$2"); shift ;;
    *) echo "setup: unknown argument $1" >&2; exit 2 ;;
  esac
  shift
done

step() { current=$1; printf '==> %s\n' "$1"; }
took() { printf '    %s, %s s\n' "${1:-ready 就绪}" "$((SECONDS - step_started))"; }
advise() { printf '\nsetup stopped at: %s\n  what to do: %s\n  怎么办：%s\n' "$current" "$1" "$2" >&2; exit 1; }
begin() { step_started=$SECONDS; step "$1"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else advise "run this once as root, or install sudo: apt-get install sudo" "请以 root 运行一次，或安装 sudo"
  fi
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o Acquire::Retries=2 "$@"
}

apt_update() { as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q; }

missing_packages() {
  local purpose package unless wanted=()
  while read -r purpose package unless; do
    case " $purposes " in *" $purpose "*) ;; *) continue ;; esac
    if [ -n "$unless" ] && command -v "${unless#/}" >/dev/null; then continue; fi
    wanted+=("$package")
  done < <(grep -v '^#' setup/packages.txt)
  python3 -c 'import venv, ensurepip' 2>/dev/null || wanted+=(python3-venv python3-pip)
  local installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null | awk '$2 == "installed" { print $1 }')
  comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) <(sort -u <<<"$installed")
}

need_tools() {
  begin "tools 工具: cargo, python3, node, npm"
  command -v cargo >/dev/null || advise "install Rust 1.95 or newer with rustup" "请安装 Rust 1.95 或更新版本"
  local rust
  rust=$(cargo --version | sed -E 's/^cargo 1\.([0-9]+).*/\1/')
  [ "$rust" -ge 95 ] || advise "cargo 1.$rust is too old: install Rust 1.95 or newer with rustup" "cargo 1.$rust 版本太旧：请用 rustup 安装 Rust 1.95 或更新版本"
  command -v python3 >/dev/null || advise "apt-get install python3" "请安装 python3"
  command -v node >/dev/null && command -v npm >/dev/null \
    || advise "install Node.js 20 or newer with npm 10 or newer" "请安装 Node.js 20 和 npm 10 或更新版本"
  local node npm
  node=$(node -p 'process.versions.node.split(".")[0]')
  # Asking npm itself takes half a second, so ask its own package file.
  npm=$(node -p 'const p=require("path"),f=require("fs");let d=p.dirname(f.realpathSync(process.argv[1]));JSON.parse(f.readFileSync(p.join(d,"..","package.json"))).version.split(".")[0]' "$(command -v npm)" 2>/dev/null || npm --version | cut -d. -f1)
  [ "$node" -ge 20 ] && [ "$npm" -ge 10 ] \
    || advise "Node.js $node and npm $npm are too old: install Node.js 20 and npm 10 or newer" "Node.js 或 npm 版本太旧"
  took
}

packages() {
  begin "Debian packages 软件包"
  command -v dpkg-query >/dev/null || advise "this set-up is for Debian 12: install the packages in setup/packages.txt by hand" "请手动安装 setup/packages.txt 中的软件包"
  local missing
  missing=$(missing_packages)
  if [ -z "$missing" ]; then took; return; fi
  printf '    installing %s 正在安装: %s\n' "$(wc -l <<<"$missing")" "$(tr '\n' ' ' <<<"$missing")"
  # shellcheck disable=SC2086 # one word a package
  apt_install $missing || { echo "    trying again with fresh package lists 更新软件源后重试"; apt_update; apt_install $missing; } \
    || advise "check the network and the sources in /etc/apt, then run make setup again" "请检查网络和软件源后重新运行 make setup"
  # The tests start a broker and a database of their own; the packages' should not stay behind as services.
  local service
  for service in mosquitto postgresql; do
    case " $missing " in
      *"$service"*) if [ -d /run/systemd/system ]; then as_root systemctl disable --now --quiet "$service" || true; fi ;;
    esac
  done
  took "installed 已安装"
}

models() {
  begin "models and ONNX Runtime 模型"
  if [ ! -f models/prepare.py ]; then took "nothing to prepare 无"; return; fi
  python3 models/prepare.py "${models_from[@]}" \
    || advise "check the network and run make setup again, or take the files from another machine: make setup FROM=FOLDER" "请检查网络后重试；离线安装：make setup FROM=文件夹"
  took
}

fetch_clip() {
  local folder=$1
  (cd "$folder" && { apt-get download -q opencv-doc || { apt_update && apt-get download -q opencv-doc; }; }) \
    || advise "check the network and the sources in /etc/apt, or put vtest.avi into $cache/clips" "请检查网络，或将 vtest.avi 放入 $cache/clips"
  dpkg-deb --fsys-tarfile "$folder"/opencv-doc_*.deb \
    | tar -x -O ./usr/share/doc/opencv-doc/examples/data/vtest.avi > "$folder/vtest.avi"
  mv "$folder/vtest.avi" "$cache/clips/vtest.avi"
}

clip() {
  begin "demo clip 演示视频"
  local folder
  mkdir -p "$cache/clips"
  if [ ! -f "$cache/clips/vtest.mp4" ]; then
    folder=$(mktemp -d "$cache/clips/.new-XXXXXX")
    trap 'rm -rf "${folder:-}"' EXIT
    if ! echo "$clip_sha  $cache/clips/vtest.avi" | sha256sum --check --status 2>/dev/null; then
      echo "    fetching one file of Debian's opencv-doc (92 MB) 正在下载"
      fetch_clip "$folder"
      echo "$clip_sha  $cache/clips/vtest.avi" | sha256sum --check --status \
        || advise "vtest.avi is not the expected file: delete $cache/clips and run make setup again" "vtest.avi 校验失败：删除 $cache/clips 后重试"
    fi
    echo "    encoding it as H.264 正在转码"
    # One thread, no B-frames, a key frame every second: the same bytes on every machine.
    gst-launch-1.0 -q filesrc location="$cache/clips/vtest.avi" ! decodebin ! videoconvert ! videorate \
      ! video/x-raw,framerate=10/1,format=I420 \
      ! x264enc tune=zerolatency speed-preset=medium bitrate=1500 key-int-max=10 bframes=0 threads=1 option-string=scenecut=0 \
      ! video/x-h264,profile=main ! h264parse ! mp4mux ! filesink location="$folder/vtest.mp4" \
      || advise "GStreamer can't encode H.264: run make setup again, it installs gstreamer1.0-plugins-ugly" "GStreamer 转码失败：请重新运行 make setup"
    mv "$folder/vtest.mp4" "$cache/clips/vtest.mp4"
    rm -rf "$folder"
  fi
  took
}

# A Python environment of the tests' own: its folder in the cache, its pinned list, and what it is.
python_tools() {
  begin "$3"
  local wanted=$2 folder=$cache/$1
  if cmp -s "$wanted" "$folder/made-from"; then took; return; fi
  rm -rf "$folder"
  python3 -m venv "$folder" \
    && { "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: -r "$wanted" \
      || "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: -r "$wanted"; } \
    || advise "check the network and run make test again" "请检查网络后重新运行 make test"
  cp "$wanted" "$folder/made-from"
  took "installed 已安装"
}

# What the built wall was made from; node_modules and dist are what is made.
wall_hash() {
  (cd central-hub/wall && find . \( -name node_modules -o -name dist \) -prune -o -type f -print0 \
    | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
}

wall() {
  begin "the wall 大屏页面"
  if [ ! -f central-hub/wall/package.json ]; then took "no sources 无"; return; fi
  local hash stamp=central-hub/wall/node_modules/.signalbox-built
  hash=$(wall_hash)
  if [ -f central-hub/wall/dist/index.html ] && [ "$(cat "$stamp" 2>/dev/null)" = "$hash" ]; then took; return; fi
  (cd central-hub/wall && { npm ci --no-audit --no-fund || npm ci --no-audit --no-fund; }) \
    || advise "check the network and run make setup again" "请检查网络后重新运行 make setup"
  (cd central-hub/wall && npm run build) || advise "the wall does not build: see the error above" "页面构建失败：见上方错误"
  echo "$hash" > "$stamp"
  took "built 已构建"
}

need_tools
packages
models
clip
case " $purposes " in *" test "*)
  python_tools ipycam tests/camera-requirements.txt "test camera 测试摄像机: ipycam"
  python_tools api-tools tests/api/requirements.txt "tools of the API's tests 接口测试工具: schemathesis" ;;
esac
wall
printf 'set-up ready in %s s 安装完成\n' "$((SECONDS - started))"
