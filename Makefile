# Signalbox: the one door. `make` alone lists what there is.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build demo test check bench bench-hub package package-test clean

TARGET := $(or $(CARGO_TARGET_DIR),target)
FROM_FLAG = $(if $(FROM),--from "$(FROM)")
SECONDS ?= 60

help: ## this list
	@echo 'make TARGET'
	@echo
	@echo '  demo    cameras, agent, hub and wall, until Ctrl-C   演示：摄像机、边缘盒、中心、大屏'
	@echo '          HEADLESS=1 SECONDS=60: check that alerts and stills arrive, then end   无界面自检'
	@echo '  setup   install what is missing (FROM=FOLDER: models without network)   安装所需（FROM=离线模型）'
	@echo '  build   programs and tests, one profile for all   编译'
	@echo '  test    set up, then every test; ends with how many ran   全部测试'
	@echo '  check   format, lints, types   静态检查'
	@echo '  bench   measurements into target/bench   性能测量'
	@echo '  bench-hub  fifty sites on one hub, and queries on 10 million alerts (ALERTS=N), optimised   中心性能测量'
	@echo '  package Debian packages into target/package   制作软件包'
	@echo '  package-test  install, update, remove and purge them in a clean Debian (root)   测试软件包'
	@echo '  clean   remove what was built (prepared models stay)   清理'

setup:
	@setup/setup.sh $(FROM_FLAG)

build:
	cargo build --workspace --all-targets

demo: setup build
	@"$(TARGET)/debug/demo" $(if $(HEADLESS),--headless --seconds "$(SECONDS)")

test:
	@setup/setup.sh --test $(FROM_FLAG)
	@python3 setup/run_tests.py

check: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	cd central-hub/wall && npm run check

bench: setup build
	@python3 tests/measure/bench.py

bench-hub: setup
	cargo test --release -p central-hub --test load --test scale --test scale_postgres -- --ignored --nocapture

package: setup
	@python3 setup/package/build.py

package-test: package
	@setup/setup.sh --package $(FROM_FLAG)
	@cargo build --workspace --bin camera-sim
	@python3 setup/package/test.py

clean:
	cargo clean
	rm -rf central-hub/wall/dist central-hub/wall/node_modules
