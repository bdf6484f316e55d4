// A batch as so many single images: where every node treats each image by itself, the network may be planned
// for one image and run for each. Activations then stay in cache, the arena is that of one image, and threads
// take images, which share nothing. Layers whose weights come from DRAM gain by a batch instead.
#pragma once
#include "net/graph.h"

namespace pyconv {

// Images of the batch, 0 where the graph cannot be taken apart, or has one image; else *one is the graph of a
// single image, whose values have other ids.
std::int64_t split_batch(const Graph& graph, Graph* one);

// Whether running image by image is expected to pay.
bool images_pay(const Graph& one);

// Threads that so many images are worth, which have to be woken once.
int threads_for_images(const Graph& one, std::int64_t images, int threads);

}  // namespace pyconv
