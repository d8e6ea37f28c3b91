#include "app/cli.h"
#include "app/node.h"

int main(int argc, char** argv) { return kith::app::run_cli(argc, argv, kith::app::run_node); }
