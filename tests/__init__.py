"""Tests. A package, because one of the test tools installs a package of the same name."""
