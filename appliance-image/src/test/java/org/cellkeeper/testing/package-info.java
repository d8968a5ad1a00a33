/** Whole clusters in containers, for tests: {@link org.cellkeeper.testing.CellCluster}. Published as this module's test-jar. */
@org.jspecify.annotations.NullMarked
package org.cellkeeper.testing;
