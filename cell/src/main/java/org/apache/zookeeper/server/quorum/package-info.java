/** What extends ZooKeeper where only its own package may. */
@org.jspecify.annotations.NullMarked
package org.apache.zookeeper.server.quorum;
